// Ledger: what was acknowledged holds. Judged on what was acknowledged and what is seen later. Pure.
import type { Head } from '../../../../lib/contract/records.js';
import { isTerminal } from '../../../../lib/jobs/lifecycle.js';

/** A submission sent again under its key. */
export function resubmitProblems(acknowledged: string, answer: { status: number; id: string | null; replayed: boolean }): string[] {
  // Away, or still being settled: it may be asked again.
  if (answer.status >= 500 || answer.status === 0 || answer.status === 429) return [];
  if (answer.status < 200 || answer.status > 299) return [`the key of ${acknowledged} is answered with ${answer.status}`];
  if (answer.id !== acknowledged) return [`the key of ${acknowledged} made a second job, ${answer.id}`];
  return answer.replayed ? [] : [`${acknowledged} was made anew under its key`];
}

/** A verb that was acknowledged: HEAD as it stood right after, and since when. */
export interface Acknowledged {
  verb: 'pause' | 'cancel';
  gen: number;
  seq: number;
  /** The ends of the best epochs are kept whatever is under way: any number of them may wait for a slow store, and be committed after training has stopped. */
  keepsBest: boolean;
}

/** The commit that was under way, one whose snapshot was being taken, and the last one. */
const COMMITS_AFTER_VERB = 3;

/** While nobody has said otherwise. */
export function verbProblems({ verb, gen, seq, keepsBest }: Acknowledged, last: Head, head: Head): string[] {
  if (head.gen !== gen) return [`${verb} of gen ${gen} was acknowledged, and gen ${head.gen} began unasked`];
  const problems: string[] = [];
  const absorbed = verb === 'pause' && (head.want.verb === 'cancel' || head.want.verb === 'kill');
  if (head.want.verb !== verb && !absorbed) problems.push(`${verb} was acknowledged, and HEAD wants ${head.want.verb}`);
  if (!keepsBest && head.seq > seq + COMMITS_AFTER_VERB) problems.push(`${head.seq - seq} commits after ${verb} was acknowledged`);
  if (verb === 'cancel' && isTerminal(head.state) && head.state !== 'cancelled') problems.push(`cancel was acknowledged, and the job ${head.state}`);
  if (verb === 'pause' && isTerminal(head.state) && head.state === 'succeeded') problems.push('pause was acknowledged, and the job succeeded');
  if (verb === 'pause' && last.state === 'paused' && last.owner === null && head.owner !== null) problems.push('it was claimed while it was paused');
  return problems;
}

/** Whether this job is to be found in the queue or with an owner. */
export const wantsAttention = (head: Head): boolean => (head.state === 'open' || head.state === 'paused') && (head.want.verb === 'run' || head.owner !== null);

/** An open job's marker is what the controller finds it by. `head` was read before the marker and again after it was missed. */
export function markerProblems(head: Head, markerExists: boolean): string[] {
  return markerExists || isTerminal(head.state) ? [] : [`it is ${head.state} and has no open marker: no controller will find it`];
}

/** @param strandedMs how long nobody had it and no ticket said so, outages not counted */
export function strandedProblems(strandedMs: number, limitMs: number): string[] {
  return strandedMs > limitMs ? [`nobody has it and there is no ticket for it, for ${Math.round(strandedMs / 1_000)} s without outages`] : [];
}
