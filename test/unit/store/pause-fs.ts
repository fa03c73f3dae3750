// Stops single file operations of node:fs/promises just before they happen, as a frozen process would be.

import fsp from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

type Operation = 'link' | 'unlink' | 'lstat' | 'open' | 'readdir';

export interface Pause {
  /** Resolves when the operation is about to happen. */
  reached: Promise<void>;
  resume(): void;
}

const original = { ...fsp };

export function restoreFs(): void {
  Object.assign(fsp, original);
  syncBuiltinESMExports();
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
  const functions = fsp as unknown as Record<Operation, Call>;
  functions[operation] = wrap(functions[operation]);
  syncBuiltinESMExports();
}

function lastPath(args: readonly unknown[]): string {
  const second = args[1];
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
  const wrap = (operation: 'mkdir' | 'rename' | 'link'): void => {
    const call = fsp[operation] as unknown as Call;
    (fsp as unknown as Record<string, Call>)[operation] = async (...args) => {
      const result = await call(...args);
      note(operation, lastPath(args));
      return result;
    };
  };
  wrap('mkdir');
  wrap('rename');
  wrap('link');
  const { open } = fsp;
  fsp.open = async (...args) => {
    const handle = await open(...args);
    const sync = handle.sync.bind(handle);
    handle.sync = async () => {
      await sync();
      note('sync', String(args[0]));
    };
    return handle;
  };
  syncBuiltinESMExports();
  return events;
}
