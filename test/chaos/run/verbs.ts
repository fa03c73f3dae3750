// What a user says of a job, and goes on saying until it is answered. An answer that is lost leaves open whether it took effect.
import { ApiError } from '../../../api/client.js';
import { readHead } from '../../../lib/jobs/head.js';
import { isTerminal } from '../../../lib/jobs/lifecycle.js';
import { type Run, sleep, type Tracked } from './state.js';

export type Said = 'acknowledged' | 'refused' | 'unknown';

/** Once. */
export async function say(run: Run, job: Tracked, verb: 'pause' | 'resume' | 'cancel' | 'retry'): Promise<Said> {
  try {
    await run.system.client.verb(job.id, verb);
    return 'acknowledged';
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status >= 400 && error.status < 500) return 'refused';
    // Nobody listened: nobody will carry it out later.
    if (!/nothing listens/.test(error.message)) job.loose = true;
    return 'unknown';
  }
}

/** Until it is answered one way or the other; null if the run ended before. */
export async function insist(run: Run, job: Tracked, verb: 'resume' | 'retry'): Promise<Said | null> {
  while (!run.signal.aborted) {
    const said = await say(run, job, verb);
    if (said !== 'unknown') return said;
    await sleep(300, run.signal);
  }
  return null;
}

/** From a terminal state to the next gen, whichever of several answers was lost. */
export async function retry(run: Run, job: Tracked): Promise<void> {
  const from = job.head?.gen ?? 0;
  job.verb = null;
  while (!run.signal.aborted) {
    await insist(run, job, 'retry');
    const head = await readHead({ store: run.system.store }, job.id).then((view) => view.head, () => null);
    // Refused: it has begun already, by a try whose answer was lost; or it is not over after all.
    if (head && (head.gen > from || !isTerminal(head.state))) return;
    await sleep(300, run.signal);
  }
}
