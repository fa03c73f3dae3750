// A sweep without jobs: its trials get to where they are to go in an order that a seed decides, and have values by their parameters and
// step. Every event goes through decide and into a log, as a controller would do it.
import type { Params } from '../../../lib/sweeps/dimension.js';
import { decide, type Rules } from '../../../lib/sweeps/decide.js';
import type { LogEntry, SweepEvent } from '../../../lib/sweeps/events.js';
import { resolveSweep } from '../../../lib/sweeps/resolve.js';
import { applied, emptySweep, type SweepState } from '../../../lib/sweeps/state.js';
import type { WarmStart } from '../../../lib/sweeps/warm-start.js';
import { keyOf, uniformAt } from '../../../lib/training/random.js';

export interface WorldOptions {
  seed?: number;
  /** Of a trial at a step; the step of its end is `end`. */
  value?: (params: Params, step: number) => number | null;
  end?: number | ((params: Params) => number);
  /** Trials of these numbers fail instead of getting on. */
  fails?: (trial: number) => boolean;
  isValid?: (params: Params) => boolean;
  /** Taken from another sweep. */
  warm?: WarmStart | null;
  /** Said before the event of this number. */
  says?: Record<number, SweepEvent>;
}

export interface World {
  rules: Rules;
  log: LogEntry[];
  state: SweepState;
}

export function rulesOf(input: unknown, isValid: (params: Params) => boolean = () => true, warm: WarmStart | null = null): Rules {
  const resolved = resolveSweep(input);
  if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
  // Of jobs that nobody makes: they begin when they may.
  return { spec: { ...resolved.spec, execution: 'jobs' }, space: resolved.space, template: resolved.template, warm, refusalOf: (params) => (isValid(params) ? null : 'it is not valid') };
}

const EVENTS_MAX = 5_000;
const BEGAN_MS = Date.parse('2026-01-01T00:00:00.000Z');
/** Between two events. */
const EVENT_MS = 1_000;

/** Until the sweep ends, or nothing runs any more. */
export function runSweep(input: unknown, { seed = 1, value = () => 0, end = 100, fails = () => false, isValid = () => true, warm = null, says = {} }: WorldOptions = {}): World {
  const rules = rulesOf(input, isValid, warm);
  const log: LogEntry[] = [];
  let state = emptySweep(rules.spec);
  const happen = (event: SweepEvent): void => {
    const entry: LogEntry = { n: state.entries, at: new Date(BEGAN_MS + state.entries * EVENT_MS).toISOString(), event, decisions: decide(rules, state, event) };
    log.push(entry);
    state = applied(rules.spec, state, entry);
  };
  happen({ type: 'created' });
  for (let n = 0; state.end === null; n++) {
    if (n === EVENTS_MAX) throw new Error(`${EVENTS_MAX} events, and no end`);
    const said = says[n];
    if (said) {
      happen(said);
      continue;
    }
    const running = state.trials.filter(({ status }) => status === 'running');
    if (running.length === 0) break;
    const trial = running[Math.floor(uniformAt(keyOf(seed, 'test/order', n), 0) * running.length)]!;
    const last = typeof end === 'number' ? end : end(trial.params);
    if (fails(trial.number)) happen({ type: 'ended', trial: trial.number, outcome: 'failed', value: null, message: 'it failed' });
    else if (trial.upTo !== null && trial.upTo < last) happen({ type: 'reached', trial: trial.number, step: trial.upTo, value: value(trial.params, trial.upTo) });
    else happen({ type: 'ended', trial: trial.number, outcome: 'succeeded', value: value(trial.params, last), message: null });
  }
  return { rules, log, state };
}
