// The log of a sweep in the store: entries that are created and never changed, each at its own number, so that of two controllers that
// decide at once one finds its place taken, reads what the other decided, and looks again.
import type { Clock } from '../clock.js';
import { AppError, type Problem } from '../errors.js';
import { fromJson, toJson } from '../jobs/record.js';
import type { Store } from '../store/index.js';
import { decide, type Rules } from './decide.js';
import type { Decider } from './decider.js';
import type { LogEntry, SweepEvent } from './events.js';
import type { Maker } from './makers.js';
import { logKey, logPrefix, newestSweepKey, openSweepKey, stateKey, statesPrefix, sweepKey } from './names.js';
import { bindTemplate } from './paths.js';
import type { SweepRecord } from './record.js';
import { refusals } from './refusals.js';
import { lint } from './resolve.js';
import { parseSpace } from './space.js';
import { applied, emptySweep, type SweepState } from './state.js';

/** Entries after which the state is written down, as at the sweep's end, so that nobody reads them all again. */
const STATE_EVERY = 200;

/** May be used by several at once. */
export interface SweepLog {
  readonly record: SweepRecord;
  readonly rules: Rules;
  /** What was allowed, and perhaps not meant. */
  readonly warnings: Problem[];
  /** As of the last entry that was read or written. */
  state(): SweepState;
  /** Reads what others wrote. @throws AppError store_unavailable */
  catchUp(): Promise<SweepState>;
  /**
   * Writes an event and what is decided about it. False: another entry came first, and was read: look again.
   * @throws AppError store_unavailable (it may have been written: catch up)
   */
  append(event: SweepEvent): Promise<boolean>;
  /** What was read of it lasts once this resolves. @throws AppError store_unavailable */
  confirm(): Promise<void>;
  /** What is made of it as it is now: away from the event loop where that takes long, if there is a decider. */
  make<F, T>(maker: Maker<F, T>, facts: F): Promise<T>;
}

type LogStore = Pick<Store, 'get' | 'putIfAbsent' | 'confirm' | 'list' | 'delete'>;

/** Null where no such sweep was acknowledged. @throws AppError store_unavailable */
export async function loadSweep(store: Pick<Store, 'get'>, sweep: string): Promise<SweepRecord | null> {
  const stored = await store.get(sweepKey(sweep));
  return stored && fromJson<SweepRecord>(stored.body);
}

/** @throws AppError not_found, store_unavailable */
export async function requireSweep(store: Pick<Store, 'get'>, sweep: string): Promise<SweepRecord> {
  const record = await loadSweep(store, sweep);
  if (!record) throw new AppError('not_found', `no sweep ${sweep}`, { param: 'id' });
  return record;
}

/**
 * Takes a sweep in: markers, then the record (its acknowledgement), then the log's first entry, which whoever finds it missing writes.
 * Repeating it with the same record changes nothing.
 * @throws AppError store_unavailable
 */
export async function createSweep(deps: { store: Store; clock: Pick<Clock, 'now'> }, record: SweepRecord): Promise<SweepRecord> {
  const { store } = deps;
  const marks = [openSweepKey(record.id), newestSweepKey(record.id)];
  await Promise.all(marks.map((key) => store.put(key, toJson({}))));
  await store.putIfAbsent(sweepKey(record.id), toJson(record)).catch(async (error: unknown) => {
    if (!(await loadSweep(store, record.id).catch(() => null))) throw error;
    await store.confirm(sweepKey(record.id));
  });
  const acknowledged = (await loadSweep(store, record.id)) ?? record;
  const log = await openLog(deps, acknowledged);
  if (log.state().entries === 0) await log.append({ type: 'created' });
  return acknowledged;
}

/** What decides about a sweep that was taken in: its spec was looked at in full once, and is not again. */
export function rulesOf({ spec, warm_start, noted = [] }: Pick<SweepRecord, 'spec' | 'warm_start' | 'noted'>): Rules & { warnings: Problem[] } {
  const parsed = parseSpace(spec.parameters);
  const bound = spec.job === null || 'problems' in parsed ? { template: null } : bindTemplate(spec.job, parsed.space.dimensions.keys());
  const [problem] = [parsed, bound].flatMap((part) => ('problems' in part ? part.problems : []));
  if (problem || 'problems' in parsed || 'problems' in bound) throw new AppError('internal_error', `a sweep that was taken in is not valid any more: ${problem?.param}: ${problem?.message}`);
  const { template } = bound;
  const warm = warm_start ?? null;
  return { spec, space: parsed.space, template, warm, warnings: [...parsed.warnings, ...lint(spec), ...noted, ...(warm?.warnings ?? [])], refusalOf: refusals(template) };
}

/** Reads the newest state that was written down, and the entries after it. @throws AppError store_unavailable, checkpoint_corrupt */
export async function openLog({ store, clock, decider = null }: { store: LogStore; clock: Pick<Clock, 'now'>; decider?: Decider | null }, record: SweepRecord): Promise<SweepLog> {
  const { warnings, ...rules } = rulesOf(record);
  const apart = decider?.follow(record) ?? null;
  let state = await newestState(store, record);
  const take = (entry: LogEntry): void => {
    state = after(record, state, entry);
    apart?.took(entry);
  };

  async function catchUp(): Promise<SweepState> {
    for (;;) {
      const next = state.entries;
      const stored = await store.get(logKey(record.id, next));
      if (!stored) return state;
      // Somebody else here may have read it meanwhile.
      if (state.entries === next) take(fromJson<LogEntry>(stored.body));
    }
  }

  const log: SweepLog = {
    record,
    rules,
    warnings,
    state: () => state,
    catchUp,
    confirm: async () => {
      if (state.entries > 0) await store.confirm(logKey(record.id, state.entries - 1));
    },
    make: async (maker, facts) => {
      const now = { record, rules, warnings, state };
      return apart ? apart.make(now, maker, facts) : maker.make(now, facts);
    },
    append: async (event) => {
      const n = state.entries;
      const decisions = apart ? await apart.decide(rules, state, event) : decide(rules, state, event);
      const entry: LogEntry = { n, at: clock.now().toISOString(), event, decisions };
      const outcome = await store.putIfAbsent(logKey(record.id, entry.n), toJson(entry));
      if (!outcome.created) {
        await catchUp();
        return false;
      }
      if (state.entries === entry.n) take(entry);
      if (state.entries % STATE_EVERY === 0 || entry.decisions.some(({ type }) => type === 'end')) await store.putIfAbsent(stateKey(record.id, state.entries), toJson(state)).catch(() => undefined);
      return true;
    },
  };
  await catchUp();
  return log;
}

/** A sweep as its log has it now, for whoever decides nothing about it. @throws AppError store_unavailable, checkpoint_corrupt */
export async function readState(store: Pick<Store, 'get' | 'list'>, record: SweepRecord): Promise<SweepState> {
  let state = await newestState(store, record);
  for (;;) {
    const stored = await store.get(logKey(record.id, state.entries));
    if (!stored) return state;
    state = after(record, state, fromJson<LogEntry>(stored.body));
  }
}

/** The newest that was written down. */
async function newestState(store: Pick<Store, 'get' | 'list'>, { id, spec }: SweepRecord): Promise<SweepState> {
  let newest: string | null = null;
  for await (const { key } of store.list(statesPrefix(id))) newest = key;
  const stored = newest === null ? null : await store.get(newest);
  return stored ? fromJson<SweepState>(stored.body) : emptySweep(spec);
}

function after({ id, spec }: SweepRecord, state: SweepState, entry: LogEntry): SweepState {
  if (entry.n !== state.entries) throw new AppError('checkpoint_corrupt', `entry ${state.entries} of the log of ${id} says that it is ${entry.n}`);
  return applied(spec, state, entry);
}

/** All entries, from the first. @throws AppError store_unavailable */
export async function readLog(store: LogStore, sweep: string): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for await (const { key } of store.list(logPrefix(sweep))) {
    const stored = await store.get(key);
    if (stored) entries.push(fromJson<LogEntry>(stored.body));
  }
  return entries;
}
