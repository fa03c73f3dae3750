// Bits: what a job ends with is what it would have ended with undisturbed, and its commits are one line. Pure.
import type { Head, Manifest } from '../../../../lib/contract/records.js';
import type { EpochRow, JobEvent, UpdateRow } from '../../../../lib/contract/rows.js';
import type { Reference } from '../../../support/undisturbed.js';

export interface Outcome {
  head: Head;
  rows: Omit<UpdateRow, 'wall_time'>[];
  epochRows: EpochRow[];
  /** From the newest back along `prev`. */
  manifests: Manifest[];
  events: JobEvent[];
}

export function bitsProblems(reference: Reference, { head, rows, epochRows, manifests, events }: Outcome): string[] {
  const problems: string[] = [];
  if (head.result?.weights_sha256 !== reference.weights) problems.push(`other weights: ${head.result?.weights_sha256} instead of ${reference.weights}`);
  if (head.result?.state_sha256 !== reference.state) problems.push(`another state: ${head.result?.state_sha256} instead of ${reference.state}`);
  problems.push(...rowProblems('update', rows, reference.rows), ...rowProblems('epoch', epochRows, reference.epochRows));
  const executed = manifests[0]?.state.cursor.micro_batches;
  if (executed !== reference.microBatches) problems.push(`${executed} micro-batches instead of ${reference.microBatches}`);
  const kept = head.counters.executed_micro_batches - head.counters.wasted_micro_batches;
  if (kept !== reference.microBatches) problems.push(`executed minus wasted is ${kept}, and the job has ${reference.microBatches} micro-batches`);
  return [...problems, ...chainProblems(manifests), ...eventProblems(events)];
}

function rowProblems<T>(series: string, found: readonly T[], expected: readonly T[]): string[] {
  const at = Array.from({ length: Math.max(found.length, expected.length) }, (_, index) => index).find((index) => JSON.stringify(found[index]) !== JSON.stringify(expected[index]));
  return at === undefined ? [] : [`${series} row ${at + 1} of ${found.length} is ${JSON.stringify(found[at])} instead of ${JSON.stringify(expected[at])} (of ${expected.length})`];
}

/** Along `prev` nothing is counted twice: what an older commit counts is no more than what the younger one does. */
export function chainProblems(manifests: readonly Manifest[]): string[] {
  const problems: string[] = [];
  for (const [index, younger] of manifests.entries()) {
    const older = manifests[index + 1];
    if (!older) {
      if (younger.prev !== null) problems.push(`commit ${younger.seq} names ${younger.prev.manifest}, which is not there`);
      continue;
    }
    const [a, b] = [older.state.cursor, younger.state.cursor];
    if (older.seq >= younger.seq || older.fence > younger.fence || older.gen > younger.gen) problems.push(`commit ${younger.seq} (fence ${younger.fence}) follows ${older.seq} (fence ${older.fence})`);
    if (a.micro_batches > b.micro_batches || a.updates > b.updates) problems.push(`commit ${younger.seq} stands at micro-batch ${b.micro_batches}, the one before it at ${a.micro_batches}`);
    if (older.data_sha256 !== younger.data_sha256 || older.spec_sha256 !== younger.spec_sha256) problems.push(`commit ${younger.seq} is of other data or of another spec than ${older.seq}`);
  }
  return problems;
}

/** Ids grow, and none is used twice. */
export function eventProblems(events: readonly JobEvent[]): string[] {
  const wrong = events.findIndex((event, index) => index > 0 && event.id <= events[index - 1]!.id);
  return wrong < 0 ? [] : [`event ${events[wrong]!.id} (${events[wrong]!.type}) follows event ${events[wrong - 1]!.id}`];
}
