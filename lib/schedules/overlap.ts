// What a fire does while earlier ones are not over: the overlap policies, and nothing of when a fire is due. Pure.
import type { OverlapPolicy, SkipReason } from '../contract/schedule.js';

/** Fires that may wait at a time. */
export const BUFFER_MAX = 1_000;
/** Runs of one schedule at a time, under allow_all: each of them is asked after. */
export const RUNNING_MAX = 100;

/** A run that is not over, by the fire that started it; `stop`: what it was told to do already. */
export interface Running {
  fire: string;
  stop: 'pause' | 'cancel' | null;
}

export interface Situation {
  policy: OverlapPolicy;
  running: readonly Running[];
  /** Fires that wait. */
  buffered: readonly string[];
  /** The fire whose time has come. */
  due: string;
}

export type OverlapAction =
  | { kind: 'start'; fire: string }
  | { kind: 'buffer'; fire: string }
  | { kind: 'skip'; fire: string; reason: SkipReason }
  /** The run of that fire is paused, with a commit: it can be resumed. */
  | { kind: 'cancel_other'; fire: string }
  /** It is cancelled. */
  | { kind: 'terminate_other'; fire: string };

/** In the order in which they take effect. A fire that replaces others waits until they have stopped: never two at a time. */
export function overlapActions({ policy, running, buffered, due }: Situation): OverlapAction[] {
  const start: OverlapAction[] = [{ kind: 'start', fire: due }];
  const buffer: OverlapAction[] = [{ kind: 'buffer', fire: due }];
  const skip = (reason: SkipReason): OverlapAction[] => [{ kind: 'skip', fire: due, reason }];
  const superseded = (): OverlapAction[] => buffered.map((fire) => ({ kind: 'skip', fire, reason: 'superseded' }));
  if (policy === 'allow_all') return running.length < RUNNING_MAX ? start : skip('too_many_running');
  if (running.length === 0 && buffered.length === 0) return start;
  switch (policy) {
    case 'skip':
      return skip('running');
    case 'buffer_one':
      return buffered.length === 0 ? buffer : skip('buffer_full');
    case 'buffer_all':
      return buffered.length < BUFFER_MAX ? buffer : skip('buffer_full');
    case 'cancel_other':
      return [...running.filter(({ stop }) => stop === null).map(({ fire }): OverlapAction => ({ kind: 'cancel_other', fire })), ...superseded(), ...buffer];
    case 'terminate_other':
      return [...running.filter(({ stop }) => stop !== 'cancel').map(({ fire }): OverlapAction => ({ kind: 'terminate_other', fire })), ...superseded(), ...buffer];
  }
}
