// What can happen to an attempt while its trainer runs, and what brings it to the inbox besides the trainer itself.
import type { FromTrainer, Snapshot } from '../protocol.js';
import type { Inbox } from './inbox.js';
import type { Session } from './session.js';
import type { TrainerExit } from './trainer-process.js';

export type Happening =
  | { type: 'trainer'; message: FromTrainer }
  | { type: 'exit'; exit: TrainerExit }
  | { type: 'notice' }
  /** The machine may go: a good time to save. */
  | { type: 'hint' }
  /** HEAD may want something new. */
  | { type: 'look' }
  /** The inputs are in HEAD: the first micro-batch may run. */
  | { type: 'pinned'; error: unknown }
  /** HEAD was read, or could not be. */
  | { type: 'looked'; error: unknown }
  | { type: 'committed'; snapshot: Snapshot; error: unknown }
  | { type: 'too_long' }
  | { type: 'deadline' };

/** Brings notices, hints, nudges, the regular look at HEAD and the time limit to the inbox; returns a function that ends it. */
export function watchHappenings({ deps, record, claim, controls, startedMs }: Session, inbox: Inbox<Happening>): () => void {
  const undo = [controls.notice.onGiven(() => inbox.put({ type: 'notice' })), controls.onNudge(() => inbox.put({ type: 'look' })), controls.onHint(() => inbox.put({ type: 'hint' }))];
  const looking = setInterval(() => inbox.put({ type: 'look' }), deps.lookEveryMs);
  const limit = record.spec.run.max_duration_seconds;
  const left = limit === null ? null : (limit - claim.head().counters.attempt_seconds) * 1_000 - (deps.clock.monotonicMs() - startedMs);
  // Longer than a timer can wait is no limit that this attempt will meet.
  const limiting = left === null || left > 0x7fff_ffff ? undefined : setTimeout(() => inbox.put({ type: 'too_long' }), Math.max(0, left));
  return () => {
    for (const stop of undo) stop();
    clearInterval(looking);
    clearTimeout(limiting);
  };
}
