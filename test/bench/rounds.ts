// A comparator in a process of its own: it prepares loops once and runs rounds of them when told to. Idle in between. Python's
// own side is python/rounds.py, Node's is bare-loop.ts.
import { startPeer } from './peer.js';
import type { Undo } from './undo.js';

export interface Comparator {
  /** What it runs on. */
  versions: Record<string, string>;
  /** Builds, traces and compiles; the rest is rounds. @throws Error with the comparator's own reason */
  prepare(loop: Record<string, unknown>): Promise<Loop>;
  close(): Promise<void>;
}

export interface Loop {
  /** Samples a second over at least so many seconds. */
  round(seconds: number): Promise<number>;
}

interface Answer {
  samples?: number;
  seconds?: number;
}

export async function startComparator(undo: Undo, program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Comparator> {
  const { versions, ask, close } = await startPeer<Answer>(undo, program, args, env);
  let loops = 0;
  return {
    versions,
    prepare: async (loop) => {
      const number = loops++;
      await ask({ ...loop, do: 'prepare', loop: number });
      return {
        round: async (seconds) => {
          const { samples = 0, seconds: took = 0 } = await ask({ do: 'round', loop: number, seconds });
          return samples / took;
        },
      };
    },
    close,
  };
}
