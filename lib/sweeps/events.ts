// What the log of a sweep holds: what was seen or said, and what was decided about it. An entry is written once and never changed, so
// that whoever reads the log from its beginning knows the sweep as its controllers did.
import type { Params } from './dimension.js';
import type { Value } from './stoppers/ranking.js';

export type SweepVerb = 'pause' | 'resume' | 'stop' | 'cancel' | 'suspend';
export type BudgetName = 'compute_seconds' | 'wall_clock';

/** A value by the step that it is of. */
export interface Step {
  step: number;
  value: Value;
}
/** How a program says that a trial is over. */
export type ToldEnd = 'succeeded' | 'failed' | 'pruned';

/** What was seen, or said. A trial's step is what its rungs count: updates, or samples. */
export type SweepEvent =
  | { type: 'created' }
  /** It has got to the step that it was to go to, and waits there. */
  | { type: 'reached'; trial: number; step: number; value: Value }
  | { type: 'ended'; trial: number; outcome: 'succeeded' | 'failed' | 'cancelled'; value: Value; message: string | null }
  | { type: 'said'; verb: SweepVerb }
  | { type: 'spent'; budget: BudgetName }
  /** Of an external sweep: somebody wants so many trials, those that it has among them; null: nobody by name, who wants so many more. */
  | { type: 'asked'; client: string | null; count: number }
  /** Of an external trial: its values since what was told before, in the order of their steps, and its end; null: it goes on. */
  | { type: 'told'; trial: number; values: readonly Step[]; end: ToldEnd | null; value: Value };

/** Where a decision comes from, for people: rung, rank and cutoff; or where the parameters were drawn from. */
export type Why = Readonly<Record<string, unknown>>;

/** A trial that begins with the whole state of another one, at the step where that waited. */
export interface Fork {
  trial: number;
  step: number;
}

export type Decision =
  /**
   * `upTo`: the step it goes to; null: its own end. `draws`: parameter combinations that made no valid job before these did.
   * `client`: who was given it, of those who ask.
   */
  | { type: 'start'; trial: number; params: Params; bracket: number; upTo: number | null; draws: number; fork?: Fork; why: Why; client?: string | null }
  /** A trial that is one of the failed: its parameters make no valid job, and it never gets one. */
  | { type: 'fail'; trial: number; params: Params; bracket: number; why: Why }
  | { type: 'go_on'; trial: number; upTo: number | null; why: Why; client?: string | null }
  | { type: 'prune'; trial: number; why: Why }
  /** It has done all it was to do, though its job has not ended. */
  | { type: 'complete'; trial: number; why: Why }
  /** Whatever it does is ended: with the sweep. */
  | { type: 'cancel'; trial: number; why: Why }
  | { type: 'end'; status: 'succeeded' | 'stopped' | 'cancelled' | 'failed'; why: Why };

export interface LogEntry {
  /** From 0, without a gap. */
  n: number;
  at: string;
  event: SweepEvent;
  decisions: Decision[];
}
