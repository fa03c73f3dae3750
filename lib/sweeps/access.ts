// Reading sweeps: their logs, kept open so that a look costs the read of the next entry, and what their trials' jobs say of time.
import type { Clock } from '../clock.js';
import type { AskInput, Asked, Shortage, ToldTrial } from '../contract/external.js';
import type { Head } from '../contract/records.js';
import type { Sweep, SweepImportance, SweepListItem, Trial } from '../contract/sweep-views.js';
import { AppError, isAppError } from '../errors.js';
import { readHead } from '../jobs/head.js';
import { attemptSecondsAt, isTerminal } from '../jobs/lifecycle.js';
import { jobKey } from '../jobs/names.js';
import { inParallel, makeRecent } from '../jobs/recent.js';
import type { Store } from '../store/index.js';
import type { SweepVerb } from './events.js';
import { sayToSweep } from './control.js';
import type { Decider } from './decider.js';
import { currentStatus } from './drive.js';
import { askForTrials, isOthers, tellOfTrial, type Told } from './external.js';
import { loadSweep, openLog, requireSweep, type SweepLog } from './log.js';
import { IMPORTANCE, type Maker, type OutsideFacts } from './makers.js';
import { isSweepId, parseTrialNumber, trialId, trialJob } from './names.js';
import type { SweepRecord } from './record.js';
import { isOver, isRefused, type TrialState } from './state.js';
import { type SeenSweep, sweepListItem, sweepView, trialView } from './view.js';

/** All reject with AppError not_found for an unknown sweep, and store_unavailable. */
export interface SweepAccess {
  sweep(id: string): Promise<Sweep>;
  /** As lists show it; null for what was never acknowledged, or is damaged: one that cannot be read must not take a list with it. */
  item(id: string): Promise<SweepListItem | null>;
  /** Oldest first, those after one of them. @throws AppError invalid_cursor */
  trials(id: string, page: { after: string | null; limit: number }): Promise<{ items: Trial[]; hasMore: boolean }>;
  trial(id: string, number: string): Promise<Trial>;
  /** The jobs of all trials, whether they are there yet or not. */
  jobs(id: string): Promise<Set<string>>;
  importance(id: string): Promise<SweepImportance>;
  /** What a maker makes of all of it, as of now. */
  make<T>(id: string, maker: Maker<OutsideFacts, T>): Promise<T>;
  /** @throws AppError invalid_state */
  say(id: string, verb: SweepVerb): Promise<Sweep>;
  /** @throws AppError invalid_state */
  ask(id: string, wanted: AskInput): Promise<Asked>;
  /** @throws AppError invalid_request, invalid_state */
  tell(id: string, trial: string, told: Told): Promise<ToldTrial>;
}

export interface SweepAccessDeps {
  store: Store;
  clock: Pick<Clock, 'now'>;
  /** Null: everything is decided on the event loop. */
  decider: Decider | null;
  log: { warn(fields: object, message: string): void };
}

interface Opened {
  log: SweepLog;
  /** Trials whose job is there. */
  submitted: Set<number>;
  /** Time in attempts, of trials whose jobs are over. */
  settled: Map<number, number>;
  /** The last of those who write here, in their turn: so that they do not take each other's places in the log. */
  turn: Promise<unknown>;
  /** The last time that the store was away; each a new object. */
  away: AppError | null;
}

/** Nothing comes after them. */
const LAST: ReadonlySet<Shortage> = new Set(['exhausted', 'stopping', 'over']);
const hasJobs = ({ rules }: SweepLog): boolean => rules.spec.execution === 'jobs';

/** A text that is no id never becomes part of a key. @throws AppError not_found */
function assertId(id: string): void {
  if (!isSweepId(id)) throw new AppError('not_found', `no sweep ${JSON.stringify(id.slice(0, 64))}`, { param: 'id' });
}

const OPENED_MAX = 128;
const READ_WIDTH = 16;

export function makeSweepAccess(deps: SweepAccessDeps): SweepAccess {
  const { store, clock } = deps;
  const recent = makeRecent<Opened>(OPENED_MAX);

  /** One that was opened before, as the store has it now. */
  async function known(id: string): Promise<Opened | null> {
    const sweep = recent.get(id) ?? null;
    // Nothing comes after its end.
    if (sweep?.log.state().end === null) await sweep.log.catchUp();
    return sweep;
  }

  async function open(record: SweepRecord): Promise<Opened> {
    const sweep: Opened = { log: await openLog(deps, record), submitted: new Set(), settled: new Map(), turn: Promise.resolve(), away: null };
    recent.set(record.id, sweep);
    return sweep;
  }

  async function required(id: string): Promise<Opened> {
    assertId(id);
    return (await known(id)) ?? open(await requireSweep(store, id));
  }

  /** For those who read its log themselves, before they write. */
  async function opened(id: string): Promise<Opened> {
    assertId(id);
    return recent.get(id) ?? open(await requireSweep(store, id));
  }

  async function seen({ log: { record, rules, warnings, state } }: Opened): Promise<SeenSweep> {
    const now = state();
    return { record, rules, warnings, state: now, status: await currentStatus(store, record.id, now) };
  }

  /** Who waited while the store was found to be away does not wait for that again: a queue of those would only grow. */
  function inTurn<T>(sweep: Opened, what: () => Promise<T>): Promise<T> {
    const { away } = sweep;
    const mine = sweep.turn.then(() => {
      if (sweep.away !== null && sweep.away !== away) throw sweep.away;
      return what();
    });
    sweep.turn = mine.catch((error: unknown) => {
      if (isAppError(error) && error.retryable) sweep.away = error;
    });
    return mine;
  }

  /** Null: damaged, of which its trial tells. */
  async function headOrNull(job: string): Promise<Head | null> {
    try {
      return (await readHead({ store }, job)).head;
    } catch (error) {
      if (isAppError(error, 'checkpoint_corrupt')) return null;
      throw error;
    }
  }

  /** Time in attempts of all trials' jobs; of those that are over it is read once. */
  async function computeSeconds({ log, settled }: Opened): Promise<number> {
    if (!hasJobs(log)) return 0;
    const now = clock.now();
    const { trials } = log.state();
    const known = trials.reduce((sum, { number }) => sum + (settled.get(number) ?? 0), 0);
    const seconds = await inParallel(trials.filter((trial) => !settled.has(trial.number) && !isRefused(trial)), READ_WIDTH, async (trial) => {
      const head = await headOrNull(trialJob(log.record.id, trial));
      if (head === null) return 0;
      const spent = attemptSecondsAt(head, now);
      if (isOver(trial) && isTerminal(head.state)) settled.set(trial.number, spent);
      return spent;
    });
    return seconds.reduce((sum, each) => sum + each, known);
  }

  /** Finds out which of these trials have their job by now. */
  async function seeSubmitted({ log, submitted }: Opened, trials: readonly TrialState[]): Promise<void> {
    if (!hasJobs(log)) return;
    await inParallel(trials.filter((trial) => !submitted.has(trial.number) && !isRefused(trial)), READ_WIDTH, async (trial) => {
      if (await store.head(jobKey(trialJob(log.record.id, trial)))) submitted.add(trial.number);
    });
  }

  const view = async (sweep: Opened): Promise<Sweep> => sweepView(await seen(sweep), await computeSeconds(sweep), clock.now());

  async function trialViews(sweep: Opened, trials: readonly TrialState[]): Promise<Trial[]> {
    await seeSubmitted(sweep, trials);
    const { record, state } = sweep.log;
    const now = state();
    return trials.map((trial) => trialView(record.id, now, trial, sweep.submitted.has(trial.number)));
  }

  async function outsideFacts(sweep: Opened): Promise<OutsideFacts> {
    const { status, state } = await seen(sweep);
    await seeSubmitted(sweep, state.trials);
    return { status, computeSeconds: await computeSeconds(sweep), submitted: sweep.submitted, at: clock.now() };
  }

  return {
    sweep: async (id) => view(await required(id)),
    item: async (id) => {
      try {
        const sweep = await known(id);
        if (sweep) return sweepListItem(await seen(sweep));
        const record = await loadSweep(store, id);
        return record && sweepListItem(await seen(await open(record)));
      } catch (error) {
        if (!isAppError(error, 'checkpoint_corrupt')) throw error;
        deps.log.warn({ sweep: id, err: error }, 'a sweep cannot be read: it is left out of lists');
        return null;
      }
    },
    trials: async (id, { after, limit }) => {
      const sweep = await required(id);
      const { trials } = sweep.log.state();
      const from = after === null ? 0 : trials.findIndex(({ number }) => trialId(id, number) === after) + 1;
      if (after !== null && from === 0) throw new AppError('invalid_cursor', `after: the sweep has no trial ${JSON.stringify(after.slice(0, 64))}`, { param: 'after' });
      return { items: await trialViews(sweep, trials.slice(from, from + limit)), hasMore: from + limit < trials.length };
    },
    trial: async (id, number) => {
      const sweep = await required(id);
      const index = parseTrialNumber(number);
      const trial = index === null ? undefined : sweep.log.state().trials[index];
      if (!trial) throw new AppError('not_found', `${id} has no trial ${JSON.stringify(number.slice(0, 64))}`, { param: 'number' });
      const [found] = await trialViews(sweep, [trial]);
      return found!;
    },
    jobs: async (id) => new Set((await required(id)).log.state().trials.map((trial) => trialJob(id, trial))),
    importance: async (id) => (await required(id)).log.make(IMPORTANCE, null),
    make: async (id, maker) => {
      const sweep = await required(id);
      return sweep.log.make(maker, await outsideFacts(sweep));
    },
    say: async (id, verb) => {
      const sweep = await opened(id);
      await inTurn(sweep, () => sayToSweep(sweep.log, verb));
      return view(sweep);
    },
    ask: async (id, wanted) => {
      const sweep = await opened(id);
      const { trials, shortage } = await inTurn(sweep, () => askForTrials(sweep.log, wanted));
      return { object: 'ask', trials: await trialViews(sweep, trials), reason: shortage, ask_again: shortage === null || !LAST.has(shortage), status: (await seen(sweep)).status };
    },
    tell: async (id, trial, told) => {
      const sweep = await opened(id);
      const as = await inTurn(sweep, () => tellOfTrial(sweep.log, trial, told));
      const view = trialView(id, sweep.log.state(), as, false);
      return { ...view, goes_on: view.status === 'running' && !isOthers(as, told) };
    },
  };
}
