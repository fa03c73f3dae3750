// What lies in the store about a job: whoever was displaced writes nothing but its own fence's names, what is written once does
// not change, and what nothing refers to is gone. Pure.
import type { Head, Segment } from '../../../../lib/contract/records.js';

/** Names under the job's folder, with the tag of each. */
export type Listing = ReadonlyMap<string, string>;

interface Commit {
  fence: number;
  attempt: string;
}

function commitOf(key: string): Commit | null {
  const match = /\/commits\/\d+-(\d+)-([0-9a-f]+)\.json$/.exec(key);
  return match ? { fence: Number(match[1]), attempt: match[2]! } : null;
}

const writtenOnce = (key: string): boolean => /\/(job\.json|commits\/[^/]+|attempts\/[^/]+)$/.test(key);

/** @param owners which attempt each fence belongs to, as far as HEAD was seen to say so */
export function silenceProblems(before: Listing, after: Listing, owners: ReadonlyMap<number, string>): string[] {
  const problems: string[] = [];
  for (const [key, tag] of before) {
    if (!writtenOnce(key)) continue;
    const now = after.get(key);
    if (now === undefined) problems.push(`${key} was there, and is gone`);
    else if (now !== tag) problems.push(`${key} was written again`);
  }
  const claimants = new Map(owners);
  for (const key of after.keys()) {
    const commit = commitOf(key);
    if (!commit) continue;
    const known = claimants.get(commit.fence);
    if (known !== undefined && known !== commit.attempt) problems.push(`${key} is written under fence ${commit.fence}, which belongs to attempt ${known}`);
    claimants.set(commit.fence, commit.attempt);
  }
  return problems;
}

/** Blobs that nothing refers to, of a job that is over and closed. @param segments all of the retained commits, also those within indexes */
export function leakedBlobs(head: Head, segments: readonly Segment[], blobs: readonly string[]): string[] {
  const needed = new Set(head.retained.flatMap((commit) => commit.blobs.map(({ key }) => key)));
  for (const { key } of segments) needed.add(key);
  return blobs.filter((key) => !needed.has(key));
}
