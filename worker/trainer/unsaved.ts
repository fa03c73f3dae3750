// How long training goes on while no checkpoint can be committed, as when the store is away: so long, and then it waits, because
// all of it would have to be done again if the machine went too. It also bounds what has to be kept until the store is back:
// rows, events and the snapshots of best epochs.

const UNSAVED_SECONDS = 600;

/** What PAWL_UNSAVED_SECONDS says, which the worker has checked; empty is as good as not set, as everywhere. */
export const unsavedMsOf = (env: Readonly<Record<string, string | undefined>>): number => 1_000 * Number(env['PAWL_UNSAVED_SECONDS'] || UNSAVED_SECONDS);

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
