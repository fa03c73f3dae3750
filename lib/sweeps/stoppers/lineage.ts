// Where the members of a population come from: a record of each beginning and each fork, and the schedule of parameters that led to a
// member, to be trained again from the start in one job. Pure.
import type { Params } from '../dimension.js';
import type { PbtDecision } from './pbt.js';

export interface LineageRecord {
  trial: number;
  /** Null: it began by itself. */
  from: number | null;
  /** Updates of the state that it went on with. */
  step: number;
  params: Params;
}

/** The records of an exchange, to be appended to the lineage. */
export function lineageOf(decisions: readonly PbtDecision[]): LineageRecord[] {
  return decisions.flatMap((each) => (each.action === 'fork' ? [{ trial: each.trial, from: each.from, step: each.why.parent.step, params: each.params }] : []));
}

/**
 * From which step on which parameters led to a member as it is now, from its first ancestor on.
 * @param lineage in the order in which it happened
 */
export function scheduleOf(lineage: readonly LineageRecord[], trial: number): { step: number; params: Params }[] {
  const schedule: { step: number; params: Params }[] = [];
  let current: number | null = trial;
  // An ancestor's later forks are not the member's: once a record is passed, only what came before it counts.
  for (const record of lineage.toReversed()) {
    if (record.trial !== current) continue;
    schedule.unshift({ step: record.step, params: record.params });
    current = record.from;
  }
  return schedule;
}
