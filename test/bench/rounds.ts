// A comparator in a process of its own: it prepares loops once and runs rounds of them when told to, a line of JSON in, a
// line of JSON out on its fourth file. Idle in between. Python's own side is python/rounds.py, Node's is bare-loop.ts.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
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
  error?: string;
  versions?: Record<string, string>;
  samples?: number;
  seconds?: number;
}

const LAST_WORDS = 2_000;

export async function startComparator(undo: Undo, program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Comparator> {
  const child: ChildProcess = spawn(program, [...args], { env, stdio: ['pipe', 'ignore', 'pipe', 'pipe'] });
  let complaints = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (complaints = (complaints + text).slice(-LAST_WORDS)));
  // A comparator that is gone is noticed by its answers' end.
  child.stdin!.on('error', () => undefined);
  const gone = once(child, 'close').catch((error: unknown) => (complaints += String(error)));
  const close = undo.add(async () => {
    child.stdin!.end();
    const timer = setTimeout(() => child.kill('SIGKILL'), 2_000);
    await gone;
    clearTimeout(timer);
  });
  const answers = createInterface({ input: child.stdio[3] as Readable })[Symbol.asyncIterator]();
  const answer = async (): Promise<Answer> => {
    const { value, done } = await answers.next();
    if (done !== true) return JSON.parse(value) as Answer;
    await gone;
    throw new Error(`the comparator ended: ${complaints.trim().split('\n').at(-1) ?? 'without a word'}`);
  };
  const ask = async (request: Record<string, unknown>): Promise<Answer> => {
    child.stdin!.write(`${JSON.stringify(request)}\n`);
    const said = await answer();
    if (said.error !== undefined) throw new Error(said.error);
    return said;
  };
  let loops = 0;
  try {
    const { versions = {} } = await answer();
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
  } catch (error) {
    await close();
    throw error;
  }
}
