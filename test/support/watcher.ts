// Watches a job from outside while chaos goes on, as any reader of the store could: (gen, fence, seq) never falls, a terminal
// state does not change within a gen, every newly seen commit descends from the last one seen (unless that one was
// quarantined), every retained commit is there with its blobs, and nothing is written that no schema has.
import { createHash } from 'node:crypto';
import type { Head, Manifest } from '../../lib/contract/records.js';
import { isTerminal } from '../../lib/jobs/lifecycle.js';
import { readHead } from '../../lib/jobs/head.js';
import type { Store } from '../../lib/store/index.js';
import { headProblem, manifestProblem } from './strict-records.js';

export interface Watcher {
  /** Stops watching and says what was wrong; fails if it never saw anything. */
  stop(): Promise<string[]>;
}

const LOOK_EVERY_MS = 100;

export function watchJob(store: Store, job: string): Watcher {
  const problems: string[] = [];
  let seen: Head | null = null;
  let looks = 0;
  let over = false;

  async function look(): Promise<void> {
    const head = await readHead({ store }, job).then((view) => view.head, () => null);
    if (!head) return;
    looks++;
    const problem = headProblem(head);
    if (problem !== null) problems.push(`HEAD is malformed: ${problem}`);
    const last = seen;
    seen = head;
    // A HEAD that was lost and rebuilt from its commits begins a new count, and says why.
    if (!last || (head.version === 0 && head.reason === 'checkpoint_corrupt')) return;
    if (head.version < last.version) problems.push(`version fell from ${last.version} to ${head.version}`);
    const order = ({ gen, fence, seq }: Head): number[] => [gen, fence, seq];
    const [before, after] = [order(last), order(head)];
    const first = before.findIndex((value, index) => value !== after[index]);
    if (first >= 0 && after[first]! < before[first]!) problems.push(`(gen, fence, seq) fell from ${before.join(',')} to ${after.join(',')}`);
    if (isTerminal(last.state) && last.gen === head.gen && (head.state !== last.state || head.manifest !== last.manifest)) problems.push(`${last.state} became ${head.state} within gen ${head.gen}`);
    if (head.manifest !== null && last.manifest !== null && head.manifest !== last.manifest && !(await descends(head, last))) problems.push(`commit ${head.seq} does not descend from ${last.seq}`);
  }

  async function descends(head: Head, last: Head): Promise<boolean> {
    for (let key: string | null = head.manifest; key !== null; ) {
      if (key === last.manifest) return true;
      const stored: Manifest | null = await store.get(key).then((found) => (found ? (JSON.parse(found.body.toString()) as Manifest) : null)).catch(() => null);
      // The store is away, or the chain passed over what was damaged: nothing to judge.
      if (!stored || head.quarantined.includes(last.manifest!)) return true;
      const problem = manifestProblem(stored);
      if (problem !== null) problems.push(`manifest ${key} is malformed: ${problem}`);
      key = stored.prev?.manifest ?? null;
    }
    return head.quarantined.includes(last.manifest!);
  }

  const loop = (async () => {
    while (!over) {
      await look();
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  })();

  return {
    stop: async () => {
      over = true;
      await loop;
      if (looks === 0) problems.push('HEAD was never readable');
      const head: Head | null = await readHead({ store }, job).then((view) => view.head, () => null);
      for (const commit of head?.retained ?? []) {
        if (head!.state === 'failed' && head!.reason === 'checkpoint_corrupt') break;
        for (const { key, sha256 } of commit.blobs) {
          const stored = await store.get(key).catch(() => null);
          if (!stored) problems.push(`retained blob ${key} is not there`);
          else if (createHash('sha256').update(stored.body).digest('hex') !== sha256) problems.push(`retained blob ${key} is damaged`);
        }
      }
      return problems;
    },
  };
}
