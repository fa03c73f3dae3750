// How long training goes on while no checkpoint can be committed, as when the store is away: so long, and then it waits, because
// all of it would have to be done again if the machine went too. It also bounds what has to be kept until the store is back:
// rows, events and the snapshots of best epochs.
import { setTimeout as sleep } from 'node:timers/promises';

const UNSAVED_SECONDS = 600;

/** What PAWL_UNSAVED_SECONDS says, which the worker has checked; empty is as good as not set, as everywhere. */
export const unsavedMsOf = (env: Readonly<Record<string, string | undefined>>): number => 1_000 * Number(env['PAWL_UNSAVED_SECONDS'] || UNSAVED_SECONDS);

/** While training waits, a try writes the same state again, for as long as the store has no room for it: between two of them, at first and at most. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

export interface Unsaved {
  /** A snapshot was reported, or could not be written. */
  reported(): void;
  /** It is committed, or given up. */
  settled(committed: boolean): void;
  /** Training has to wait. */
  isSpent(): boolean;
  /** Resolves when that may have changed: with the next `settled` or `wake`. */
  changed(): Promise<void>;
  wake(): void;
}

export interface Standstill {
  /** Takes a snapshot here, unless one is under way. */
  take(): void;
  /** Training is to stop: nothing is waited for any more. */
  isOver(): boolean;
  /** Settles early when it is aborted, either way. */
  sleep?(ms: number, signal: AbortSignal): Promise<unknown>;
}

/** Training stands still until something is committed. Where that fails it is tried again, less and less often; a wake is for a try at once. */
export async function untilSaved(unsaved: Unsaved, { take, isOver, sleep: pause = (ms, signal) => sleep(ms, undefined, { signal }) }: Standstill): Promise<void> {
  const waits = (): boolean => unsaved.isSpent() && !isOver();
  for (let pauseMs = FIRST_PAUSE_MS; waits(); pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs)) {
    take();
    await unsaved.changed();
    if (!waits()) return;
    const woken = new AbortController();
    await Promise.race([pause(pauseMs, woken.signal), unsaved.changed()]);
    woken.abort();
  }
}

export function makeUnsaved(limitMs: number, nowMs: () => number): Unsaved {
  /** When the first snapshot was reported of those since the last commit; null: there is none. */
  let sinceMs: number | null = null;
  let wake = (): void => undefined;
  return {
    reported() {
      sinceMs ??= nowMs();
    },
    settled(committed) {
      if (committed) sinceMs = null;
      wake();
    },
    isSpent: () => sinceMs !== null && nowMs() - sinceMs >= limitMs,
    changed: () => new Promise((resolve) => (wake = resolve)),
    wake: () => wake(),
  };
}
