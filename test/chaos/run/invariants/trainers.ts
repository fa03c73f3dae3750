// Who trains a job: by the spool folders that living workers hold, at most one attempt, and that one HEAD's. Pure.

/** An attempt that a living, thawed worker with a trainer has in hand. */
export interface InHand {
  job: string;
  attempt: string;
  worker: string;
}

/** Attempts that HEAD does not name any more while the one that it names is in hand, too. */
export function surplusTrainers(inHand: readonly InHand[], owners: ReadonlyMap<string, string>): InHand[] {
  return inHand.filter(({ job, attempt }) => owners.get(job) !== attempt && inHand.some((other) => other.job === job && other.attempt === owners.get(job)));
}

/** @param sinceMs for how long each was seen without a break */
export function surplusProblems(sinceMs: ReadonlyMap<string, number>, limitMs: number): string[] {
  return [...sinceMs].filter(([, ms]) => ms > limitMs).map(([attempt, ms]) => `attempt ${attempt} was displaced and is still trained, ${Math.round(ms / 1_000)} s later`);
}
