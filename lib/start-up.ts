// How a process that cannot start says so: on standard error, to the parent that started it, and by its exit code.
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
