// How often to save: what a save costs against what is lost with a worker that dies. Pure.

/** How long a preemptible machine lasts before anything was measured; it weighs as much as one measured loss. */
const ASSUMED_LIFETIME_SECONDS = 3_600;
const LEAST_MS = 5_000;
const MOST_MS = 600_000;

/**
 * Mean time between losses: the assumed lifetime, corrected by each loss and by all the time without one.
 * @param losses attempts that ended without a last commit, and unasked, within `attempt_seconds`
 */
export const expectedLifetimeMs = ({ attempt_seconds: attemptSeconds, losses }: { attempt_seconds: number; losses: number }): number => (1_000 * (ASSUMED_LIFETIME_SECONDS + attemptSeconds)) / (1 + losses);

/**
 * The interval that loses least by saving and by dying together, √(2 · cost · lifetime): Young, "A first order approximation to the
 * optimum checkpoint interval", Communications of the ACM 17 (1974), https://doi.org/10.1145/361147.361115. From 5 s to 10 minutes.
 * @param saveMs from a snapshot until it is committed; null before there was one
 */
export const bestCheckpointMs = (saveMs: number | null, lifetimeMs: number): number => Math.min(MOST_MS, Math.max(LEAST_MS, Math.sqrt(2 * (saveMs ?? 0) * lifetimeMs)));
