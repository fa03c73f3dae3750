// What users say to a sweep: an entry of its log, before it is acknowledged. What follows is a controller's business.
import { AppError } from '../errors.js';
import type { SweepEvent, SweepVerb } from './events.js';
import type { SweepLog } from './log.js';
import type { SweepState } from './state.js';

/** Entries of others that may come first, one after another. */
const TRIES = 100;

/**
 * Writes what a log wants of somebody who has something to say, one event after another, until that is nothing: all of it is there when
 * this returns.
 * @param next what is to be written into a log that is so; `written`: how many of these entries were
 * @throws AppError store_unavailable (some may have been written), and what `next` throws
 */
export async function writeAll(log: Pick<SweepLog, 'catchUp' | 'state' | 'append' | 'confirm' | 'record'>, next: (state: SweepState, written: number) => SweepEvent | null): Promise<void> {
  // Nothing comes after its end.
  if (log.state().end === null) await log.catchUp();
  let written = 0;
  for (let tries = 0; tries < TRIES; ) {
    const event = next(log.state(), written);
    if (!event) return written > 0 ? undefined : log.confirm(); // somebody else wrote it
    if (await log.append(event)) written++;
    else tries++;
  }
  throw new AppError('store_unavailable', `the log of ${log.record.id} kept growing`, { retryAfterSeconds: 1 });
}

/**
 * Says what is wanted of a sweep; repeating a verb is a no-op. The log has it when this returns.
 * @throws AppError invalid_state, store_unavailable (it may have been said)
 */
export async function sayToSweep(log: SweepLog, verb: SweepVerb): Promise<void> {
  await writeAll(log, (state, written) => (written > 0 || holds(state, verb) ? null : { type: 'said', verb }));
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
