// File operations under a scheduler: each call of the file driver waits its turn, one at a time, in an order drawn from
// a seed. An actor may be frozen between two operations while the others go on, or never wake again.

import { AsyncLocalStorage } from 'node:async_hooks';
import { calls } from '../../../lib/store/file-calls.js';

export interface Actor {
  name: string;
  /** False if it never came to its end. */
  finished: boolean;
}

export interface Schedule {
  /** Runs all actors to their ends, except those that were killed on the way. */
  run(actors: Record<string, () => Promise<void>>): Promise<Actor[]>;
  /** How many operations have run. */
  steps(): number;
  restore(): void;
}

interface Waiting {
  name: string;
  go: () => void;
}

const FREEZE_ONE_IN = 25;
const LONGEST_FREEZE = 250;

/** `random(n)` gives an integer in [0, n). `killOneIn` 0 kills nobody. */
export function scheduleFs(random: (below: number) => number, killOneIn: number): Schedule {
  const actorName = new AsyncLocalStorage<string>();
  const waiting: Waiting[] = [];
  const frozenUntil = new Map<string, number>();
  const dead = new Set<string>();
  let step = 0;
  let arrived: () => void = () => undefined;

  async function turn(): Promise<void> {
    const name = actorName.getStore();
    if (name === undefined) return;
    await new Promise<void>((go) => {
      waiting.push({ name, go });
      arrived();
    });
  }

  const original = { ...calls };
  const restore = (): void => {
    Object.assign(calls, original);
  };
  const gated = <A extends unknown[], R>(run: (...args: A) => Promise<R>) => async (...args: A): Promise<R> => {
    await turn();
    return run(...args);
  };
  Object.assign(calls, {
    link: gated(original.link),
    unlink: gated(original.unlink),
    lstat: gated(original.lstat as (...args: unknown[]) => Promise<unknown>),
    // The order of operations is what matters here; the disk is not asked to keep anything.
    open: gated(original.open as (...args: unknown[]) => Promise<unknown>),
    fsync: async () => undefined,
    // POSIX: what comes or goes during a listing may or may not be in it.
    readdir: gated(async (folder: string) => {
      const before = new Set(await original.readdir(folder));
      await turn();
      const after = new Set(await original.readdir(folder));
      return [...new Set([...before, ...after])].filter((name) => (before.has(name) && after.has(name)) || random(2) === 0);
    }),
  });

  function pick(): Waiting | undefined {
    const living = waiting.filter((one) => !dead.has(one.name));
    const awake = living.filter((one) => (frozenUntil.get(one.name) ?? 0) <= step);
    const from = awake.length > 0 ? awake : living;
    return from[random(Math.max(1, from.length))];
  }

  async function run(actors: Record<string, () => Promise<void>>): Promise<Actor[]> {
    const result: Actor[] = [];
    let running = 0;
    let failure: unknown;
    for (const [name, act] of Object.entries(actors)) {
      const actor = { name, finished: false };
      result.push(actor);
      running += 1;
      const started = new Promise<void>((resolve) => (arrived = resolve));
      actorName
        .run(name, act)
        .then(() => (actor.finished = true), (error: unknown) => (failure ??= error))
        .finally(() => {
          running -= 1;
          arrived();
        });
      await started; // at its first operation
    }
    while (running > dead.size && failure === undefined) {
      step += 1;
      const next = pick();
      if (next === undefined) break;
      if (killOneIn > 0 && random(killOneIn) === 0) {
        dead.add(next.name);
        continue;
      }
      if (random(FREEZE_ONE_IN) === 0) {
        frozenUntil.set(next.name, step + random(LONGEST_FREEZE));
        continue;
      }
      const quiet = new Promise<void>((resolve) => (arrived = resolve));
      waiting.splice(waiting.indexOf(next), 1);
      next.go();
      await quiet; // until it waits again or has ended
    }
    if (failure !== undefined) throw failure;
    return result;
  }

  return { run, steps: () => step, restore };
}
