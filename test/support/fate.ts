// What befalls a process at one of its calls: no answer, or its end.
import { AppError } from '../../lib/errors.js';

/** `late`: it takes effect some time after it was given up; `last`: it takes effect, and nobody is there any more to hear of it. */
export type Fault = 'none' | 'lost before' | 'lost after' | 'late' | 'last before' | 'last';

/** The process has ended; nothing that it waits for comes. */
export class Killed extends Error {}

export interface Fate {
  /** A call of the process, which meets what comes next. */
  meet<A extends unknown[], T>(name: string, call: (...values: A) => Promise<T>): (...values: A) => Promise<T>;
  isDead(): boolean;
}

/** Of one process. `wait` comes before each call; what takes effect late is put into `late`. */
export function makeFate(next: (call: string) => Fault, wait: () => Promise<void> = () => Promise.resolve(), late: Promise<unknown>[] = []): Fate {
  let dead = false;
  return {
    meet: (name, call) => async (...values) => {
      if (dead) throw new Killed();
      await wait();
      if (dead) throw new Killed();
      const fault = next(name);
      if (fault === 'late') late.push(wait().then(wait).then(wait).then(() => call(...values)).catch(() => undefined));
      if (fault === 'lost before' || fault === 'late') throw new AppError('store_unavailable', 'no answer');
      if (fault === 'last before') dead = true;
      if (dead) throw new Killed();
      const result = await call(...values);
      if (fault === 'last') dead = true;
      if (dead) throw new Killed();
      if (fault === 'lost after') throw new AppError('store_unavailable', 'no answer');
      return result;
    },
    isDead: () => dead,
  };
}
