// What ends an attempt before its trainer is there: a notice, a pause, a cancel, the end of its time, or another owner. Fetching
// and hashing data may take minutes, and nobody has to wait for it.
import { isAppError } from '../../lib/errors.js';
import type { Ending } from '../../lib/jobs/lifecycle.js';
import type { Session } from './session.js';
import { onTimeOver, timeIsOver } from './time-limit.js';

export interface Interruption {
  /** Aborted as soon as the attempt is not to go on. */
  signal: AbortSignal;
  /** How the attempt ends then; null as long as nothing ends it. @throws AppError fenced */
  ending(): Ending | null;
  stop(): void;
}

export function watchForInterruption(session: Session): Interruption {
  const { deps, claim, controls } = session;
  const abort = new AbortController();
  let why: Ending | null = null;
  let fenced: unknown = null;
  const look = (): void => {
    const notice = controls.notice.facts();
    const { verb, cause } = claim.head().want;
    if (notice) why ??= { kind: 'stopped', reason: notice.reason, message: notice.message };
    else if (verb !== 'run') why ??= { kind: 'stopped', reason: cause, message: verb === 'pause' ? 'pausing' : 'cancelling' };
    if (why !== null || fenced !== null) abort.abort();
  };
  const read = (): void =>
    void claim.refresh(abort.signal).then(look, (error: unknown) => {
      if (isAppError(error, 'fenced')) fenced = error;
      look();
    });
  const end = (ending: Ending): void => {
    why ??= ending;
    look();
  };
  const undo = [controls.notice.onGiven(look), controls.onNudge(read), onTimeOver(session, () => end(timeIsOver(session)))];
  const looking = setInterval(read, deps.lookEveryMs);
  look();
  return {
    signal: abort.signal,
    ending() {
      if (fenced !== null) throw fenced as Error;
      return why;
    },
    stop() {
      for (const stop of undo) stop();
      clearInterval(looking);
    },
  };
}
