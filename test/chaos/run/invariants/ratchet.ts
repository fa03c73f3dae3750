// Ratchet: a job never slips back, whoever writes it and whatever Redis forgets. Judged on two HEADs, one seen after the other. Pure.
import type { Head } from '../../../../lib/contract/records.js';
import { isTerminal } from '../../../../lib/jobs/lifecycle.js';

/** @param ancestors the manifests from `head.manifest` back along `prev`; null where they cannot be read at the moment */
export function ratchetProblems(last: Head, head: Head, ancestors: readonly string[] | null): string[] {
  const problems: string[] = [];
  if (head.version < last.version) problems.push(`version fell from ${last.version} to ${head.version}`);
  const order = ({ gen, fence, seq }: Head): number[] => [gen, fence, seq];
  const [before, after] = [order(last), order(head)];
  const first = before.findIndex((value, index) => value !== after[index]);
  if (first >= 0 && after[first]! < before[first]!) problems.push(`(gen, fence, seq) fell from ${before.join(',')} to ${after.join(',')}`);
  if (head.seq < last.seq) problems.push(`seq fell from ${last.seq} to ${head.seq}`);
  if (isTerminal(last.state) && last.gen === head.gen && (head.state !== last.state || head.manifest !== last.manifest)) problems.push(`${last.state} became ${head.state} within gen ${head.gen}`);
  if (head.gen > last.gen + 1) problems.push(`gen jumped from ${last.gen} to ${head.gen}`);
  if (head.fence === last.fence && head.attempt !== last.attempt) problems.push(`fence ${head.fence} belongs to two attempts, ${last.attempt} and ${head.attempt}`);
  if (head.owner && head.owner.attempt !== head.attempt) problems.push(`its owner is attempt ${head.owner.attempt}, its last claimant ${head.attempt}`);
  if (head.counters.events < last.counters.events) problems.push(`event ids fell from ${last.counters.events} to ${head.counters.events}`);
  const fellBack = last.manifest !== null && head.quarantined.includes(last.manifest);
  if (ancestors && last.manifest !== null && !fellBack && !ancestors.includes(last.manifest)) problems.push(`commit ${head.seq} does not descend from ${last.seq}, and no fall-back says so`);
  return problems;
}

/** One bad blob must never make every retained commit useless: once two commits share no base blob, two retained ones always do. */
export function baseProblems(last: Head, head: Head): string[] {
  if (head.quarantined.length > last.quarantined.length) return [];
  return hasSpareBase(last) && !hasSpareBase(head) ? [`no retained commit is left whose base blobs differ from the newest one's (seq ${head.seq})`] : [];
}

function hasSpareBase({ retained }: Head): boolean {
  const bases = retained.map(({ blobs }) => blobs.filter(({ role }) => role !== 'window').map(({ key }) => key));
  const newest = new Set(bases.at(-1) ?? []);
  return bases.some((keys) => keys.length > 0 && !keys.some((key) => newest.has(key)));
}
