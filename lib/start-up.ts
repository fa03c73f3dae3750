// Processes and the parents that started them: how one that cannot start says so (on standard error, to the parent, and by its
// exit code), and how one notices that its parent is gone.
import { type ErrorCode, exitCodeOf, isAppError, messageOf } from './errors.js';

/** What a parent hears before such a process exits. */
export interface StartFailure {
  type: 'failed';
  code: ErrorCode;
  message: string;
}

export function failToStart(error: unknown): void {
  process.stderr.write(`${isAppError(error) ? error.message : ((error as Error).stack ?? messageOf(error))}\n`);
  const exit = (): never => process.exit(exitCodeOf(error));
  if (!process.send) exit();
  else process.send({ type: 'failed', code: isAppError(error) ? error.code : 'internal_error', message: messageOf(error) } satisfies StartFailure, exit);
}

/** Also of a parent that went before anybody listened: the event comes once. Without a parent that listens, never. */
export function onParentGone(leave: () => void): void {
  if ((process.connected as boolean | undefined) === false) leave();
  else process.on('disconnect', leave);
}
