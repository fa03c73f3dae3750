// What goes wrong with Redis, told apart: away or unable to serve (queue_unavailable, worth another try), or our own mistake,
// which passes as it is and becomes an internal error.
import { AppError, messageOf } from '../errors.js';

/** Replies of a Redis that is there but cannot serve now, or not us. A node of a cluster sends away (MOVED, ASK) who asks for what another has. */
const UNABLE = /^(LOADING|READONLY|OOM|MISCONF|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|BUSY|UNBLOCKED|NOAUTH|WRONGPASS|NOPERM)\b|^ERR max number of clients|^ERR invalid password/;
/** Before Redis 7 a script's failure was told in these words, with the reply that it is about at their end. */
const OF_SCRIPT = /^ERR Error running script \(call to \w+\): .*?-(?=[A-Z]+ )/s;
/** What the client says without a socket, or with one that does not answer. */
const NO_ANSWER = /^(Command timed out|Connection is closed|Stream isn't writeable|not connected to|connect ETIMEDOUT)/;
const RETRY_AFTER_SECONDS = 2;

export function translateRedisError(error: unknown, what: string): unknown {
  if (!(error instanceof Error) || error instanceof AppError || !isAway(error)) return error;
  return new AppError('queue_unavailable', `${what}: ${messageOf(error)}`, { cause: error, retryAfterSeconds: RETRY_AFTER_SECONDS });
}

const replyOf = ({ message }: Error): string => message.replace(OF_SCRIPT, '');

/** A socket's, or of a look-up of its address, and no reply: the client connects again by itself. */
export const isOfSocket = (error: Error): boolean => typeof (error as NodeJS.ErrnoException).code === 'string';

/** A replica's answer, as after a failover: whoever connects anew finds the new primary. */
export const isReadOnly = (error: Error): boolean => replyOf(error).startsWith('READONLY');

function isAway(error: Error): boolean {
  if (error.name === 'ReplyError') return UNABLE.test(replyOf(error));
  if (error.name === 'MaxRetriesPerRequestError' || error.name === 'AbortError') return true;
  // Sockets and name look-ups.
  return typeof (error as NodeJS.ErrnoException).syscall === 'string' || NO_ANSWER.test(error.message);
}
