// Which commits stay restorable, and which blobs become garbage when others go. Pure.
import type { BlobRef, RetainedCommit } from '../contract/records.js';
import type { KeepBestSpec } from '../contract/spec.js';

/** The blobs a restore cannot do without and that a delta would share: everything but the open window. */
function baseKeys(commit: RetainedCommit): string[] {
  return commit.blobs.filter(({ role }) => role !== 'window').map((blob) => blob.key);
}

const disjoint = (a: RetainedCommit, b: RetainedCommit): boolean => {
  const keys = new Set(baseKeys(a));
  return !baseKeys(b).some((key) => keys.has(key));
};

/**
 * Of `commits` (oldest first) keeps the newest `keepLast`, every pinned one, the `keepBest.n` best, and as many older ones as it takes until two
 * kept commits share no base blob: one bad blob must never make every retained commit useless.
 */
export function chooseRetained(commits: readonly RetainedCommit[], keepLast: number, pins: readonly string[], keepBest: Pick<KeepBestSpec, 'mode' | 'n'> | null = null): RetainedCommit[] {
  const kept = new Set<RetainedCommit>();
  const newestFirst = [...commits].reverse();
  for (const commit of newestFirst.slice(0, keepLast)) kept.add(commit);
  for (const commit of commits) if (pins.includes(commit.id)) kept.add(commit);
  for (const commit of bestOf(commits, keepBest)) kept.add(commit);
  const newest = newestFirst[0];
  if (newest && ![...kept].some((commit) => disjoint(commit, newest))) {
    const spare = newestFirst.find((commit) => disjoint(commit, newest));
    if (spare) kept.add(spare);
  }
  return commits.filter((commit) => kept.has(commit));
}

/** Of equal ones, the earlier; of one epoch that was committed again, the later. */
function bestOf(commits: readonly RetainedCommit[], keepBest: Pick<KeepBestSpec, 'mode' | 'n'> | null): RetainedCommit[] {
  if (keepBest === null) return [];
  const byPlace = new Map(commits.filter(({ best }) => best !== null).map((commit) => [commit.micro_batches, commit]));
  const sign = keepBest.mode === 'min' ? 1 : -1;
  return [...byPlace.values()].sort((a, b) => sign * (a.best! - b.best!) || a.seq - b.seq).slice(0, keepBest.n);
}

/** Blobs of commits that are in `before` and not in `after`, and that nothing in `after` refers to. */
export function unreferencedBlobs(before: readonly RetainedCommit[], after: readonly RetainedCommit[]): BlobRef[] {
  const needed = new Set(after.flatMap((commit) => commit.blobs.map((blob) => blob.key)));
  const gone = new Map<string, BlobRef>();
  const kept = new Set(after.map((commit) => commit.seq));
  for (const commit of before) {
    if (kept.has(commit.seq)) continue;
    for (const blob of commit.blobs) if (!needed.has(blob.key)) gone.set(blob.key, blob);
  }
  return [...gone.values()];
}
