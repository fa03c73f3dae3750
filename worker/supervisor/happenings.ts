// What can happen to an attempt while its trainer runs, and what brings it to the inbox besides the trainer itself.
import type { FromTrainer, Snapshot } from '../protocol.js';
import type { Inbox } from './inbox.js';
import type { Session } from './session.js';
import { onTimeOver } from './time-limit.js';
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
export function watchHappenings(session: Session, inbox: Inbox<Happening>): () => void {
  const { deps, controls } = session;
  const undo = [controls.notice.onGiven(() => inbox.put({ type: 'notice' })), controls.onNudge(() => inbox.put({ type: 'look' })), controls.onHint(() => inbox.put({ type: 'hint' })), onTimeOver(session, () => inbox.put({ type: 'too_long' }))];
  const looking = setInterval(() => inbox.put({ type: 'look' }), deps.lookEveryMs);
  return () => {
    for (const stop of undo) stop();
    clearInterval(looking);
  };
}
