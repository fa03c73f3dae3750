// Who goes first when many fires are due at once. What makes a fire late is all that comes before its run is acknowledged, so looks
// that may start something go before those that write down what was started, and both before whatever can wait. Nobody waits for ever.
import type { Clock } from '../clock.js';

/** A look's part in it. */
export interface Turn {
  /** All is started: resolves when it may be written down. */
  started(): Promise<void>;
  end(): void;
}

export interface Turns {
  /** Whether one more look may begin: at what is due, or after runs that nobody waits for. */
  mayBegin(why: Why): boolean;
  begin(why: Why): Turn;
  /** Lets those go on whose turn has come. */
  letOn(): void;
  /** Fires are due and not started, or many are being started. */
  isBusy(): boolean;
  /** Resolves as soon as it is not so, or has been so for long. */
  quiet(): Promise<void>;
  /** Nobody waits any more. */
  close(): void;
}

export type Why = 'due' | 'run';

/** Looks side by side that may start something, and those that write down. */
const WIDTH = 64;
/** Looks after runs that nobody waits for. */
const RUN_WIDTH = 16;
/** With so many that may start something others wait. */
const BUSY_WIDTH = 8;
/** One that has something to write down waits no longer, and everybody else not when it has been busy for so long. */
const HELD_MOST_MS = 2_000;
const BUSY_MOST_MS = 5_000;

/** @param isDue whether a fire is due that nobody has begun to look at */
export function makeTurns({ monotonicMs }: Pick<Clock, 'monotonicMs'>, isDue: () => boolean): Turns {
  const starting = { due: 0, run: 0 };
  let recording = 0;
  const held: { sinceMs: number; go: () => void }[] = [];
  let busySinceMs: number | null = null;
  let patient: (() => void)[] = [];
  let closed = false;

  const isBusy = (): boolean => isDue() || starting.due >= BUSY_WIDTH;

  function mayRecord({ sinceMs }: { sinceMs: number }): boolean {
    if (closed) return true;
    return isBusy() ? recording < WIDTH / 2 && monotonicMs() - sinceMs >= HELD_MOST_MS : recording < WIDTH;
  }

  function letOn(): void {
    while (held[0] && mayRecord(held[0])) {
      recording++;
      held.shift()!.go();
    }
    busySinceMs = isBusy() ? (busySinceMs ?? monotonicMs()) : null;
    if (isPressed()) return;
    for (const go of patient) go();
    patient = [];
  }

  const isPressed = (): boolean => !closed && busySinceMs !== null && monotonicMs() - busySinceMs < BUSY_MOST_MS;

  return {
    mayBegin: (why) => (why === 'due' ? starting.due < WIDTH : !isBusy() && starting.run < RUN_WIDTH),
    begin: (why) => {
      let stage: 'starting' | 'recording' = 'starting';
      starting[why]++;
      return {
        started: () => {
          stage = 'recording';
          starting[why]--;
          return new Promise((go) => held.push({ sinceMs: monotonicMs(), go }));
        },
        end: () => {
          if (stage === 'starting') starting[why]--;
          else recording--;
        },
      };
    },
    letOn,
    isBusy,
    quiet: () => (isPressed() ? new Promise((go) => patient.push(go)) : Promise.resolve()),
    close: () => {
      closed = true;
      letOn();
    },
  };
}
