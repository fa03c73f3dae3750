// What users say to a sweep: an entry of its log, before it is acknowledged. What follows is a controller's business.
import { AppError } from '../errors.js';
import type { SweepVerb } from './events.js';
import type { SweepLog } from './log.js';
import type { SweepState } from './state.js';

/** Entries of others that may come first, one after another. */
const TRIES = 100;

/**
 * Says what is wanted of a sweep; repeating a verb is a no-op. The log has it when this returns.
 * @throws AppError invalid_state, store_unavailable (it may have been said)
 */
export async function sayToSweep(log: SweepLog, verb: SweepVerb): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++) {
    if (holds(await log.catchUp(), verb) || (await log.append({ type: 'said', verb }))) return;
  }
  throw new AppError('store_unavailable', `the log of ${log.record.id} kept growing`, { retryAfterSeconds: 1 });
}

/** Whether a verb has been said already. @throws AppError invalid_state where it does not apply */
function holds({ end, verb: last }: Pick<SweepState, 'end' | 'verb'>, verb: SweepVerb): boolean {
  const refuse = (now: string): never => {
    throw new AppError('invalid_state', `cannot ${verb} a sweep that is ${now}`);
  };
  if (end) return (verb === 'cancel' && end.status === 'cancelled') || (verb === 'stop' && end.status === 'stopped') || refuse(end.status);
  if (last === verb) return true;
  if (last === 'cancel') return refuse('cancelling');
  return last === 'stop' && verb !== 'cancel' ? refuse('stopping') : false;
}
