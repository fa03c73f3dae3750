// Stops single file operations of the file driver just before they happen, as a frozen process would be.

import { calls } from '../../../lib/store/file-calls.js';

type Operation = Exclude<keyof typeof calls, 'openFolder' | 'close' | 'fstat'>;

export interface Pause {
  /** Resolves when the operation is about to happen. */
  reached: Promise<void>;
  resume(): void;
}

/** Of files that have been opened, by the number that each had last. */
const paths = new Map<unknown, string>();
const { open, openFolder } = calls;
Object.assign(calls, {
  open: async (...args: Parameters<typeof open>): Promise<number> => named(await open(...args), args[0]),
  openFolder: (path: string): number => named(openFolder(path), path),
});
function named(fd: number, path: unknown): number {
  paths.set(fd, String(path));
  return fd;
}

const original = { ...calls };

export function restoreFs(): void {
  Object.assign(calls, original);
}

/** Pauses the next call of `operation` whose last path matches; later ones go through. */
export function pauseNext(operation: Operation, path: RegExp): Pause {
  let resume: () => void = () => undefined;
  let reach: () => void = () => undefined;
  const reached = new Promise<void>((resolve) => (reach = resolve));
  const resumed = new Promise<void>((resolve) => (resume = resolve));
  let taken = false;
  replace(operation, (call) => async (...args: unknown[]) => {
    if (!taken && path.test(lastPath(args))) {
      taken = true;
      reach();
      await resumed;
    }
    return call(...args);
  });
  return { reached, resume };
}

/** Makes the next call of `operation` whose last path matches answer with `result` instead. */
export function answerNext(operation: Operation, path: RegExp, result: () => unknown): { hit(): boolean } {
  let taken = false;
  replace(operation, (call) => async (...args: unknown[]) => {
    if (taken || !path.test(lastPath(args))) return call(...args);
    taken = true;
    return result();
  });
  return { hit: () => taken };
}

type Call = (...args: unknown[]) => Promise<unknown>;

function replace(operation: Operation, wrap: (call: Call) => Call): void {
  const functions = calls as unknown as Record<Operation, Call>;
  functions[operation] = wrap(functions[operation]);
}

function lastPath(args: readonly unknown[]): string {
  const second = args[1];
  if (typeof args[0] === 'number') return paths.get(args[0]) ?? '';
  return String(typeof second === 'string' && second.startsWith('/') ? second : args[0]);
}

/**
 * What is written down of each operation that matters for a power cut: `sync`, `mkdir`, `rename` or `link` and the path
 * below `root`, with random names as `*`. Ends with restoreFs.
 */
export function recordDurability(root: string): string[] {
  const events: string[] = [];
  const note = (operation: string, path: string): void => {
    events.push(`${operation} ${path.slice(root.length + 1).replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, '*')}`.trim());
  };
  const noting = (operation: 'mkdir' | 'rename' | 'link' | 'fsync', name: string = operation): void =>
    replace(operation, (call) => async (...args) => {
      const result = await call(...args);
      note(name, lastPath(args));
      return result;
    });
  noting('mkdir');
  noting('rename');
  noting('link');
  noting('fsync', 'sync');
  return events;
}
