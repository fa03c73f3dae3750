// A process that answers: a line of JSON in, a line of JSON out on its fourth file. It says first what it runs on.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Undo } from './undo.js';

export interface Peer<Answer> {
  /** What it runs on. */
  versions: Record<string, string>;
  /** One request at a time. @throws Error with the peer's own reason */
  ask(request: Record<string, unknown>): Promise<Answer>;
  close(): Promise<void>;
}

const LAST_WORDS = 2_000;

export async function startPeer<Answer extends object>(undo: Undo, program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Peer<Answer>> {
  const child: ChildProcess = spawn(program, [...args], { env, stdio: ['pipe', 'ignore', 'pipe', 'pipe'] });
  let complaints = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (complaints = (complaints + text).slice(-LAST_WORDS)));
  // A peer that is gone is noticed by its answers' end.
  child.stdin!.on('error', () => undefined);
  const gone = once(child, 'close').catch((error: unknown) => (complaints += String(error)));
  const close = undo.add(async () => {
    child.stdin!.end();
    const timer = setTimeout(() => child.kill('SIGKILL'), 2_000);
    await gone;
    clearTimeout(timer);
  });
  const answers = createInterface({ input: child.stdio[3] as Readable })[Symbol.asyncIterator]();
  const answer = async <T extends object>(): Promise<T> => {
    const { value, done } = await answers.next();
    if (done === true) {
      await gone;
      throw new Error(`the comparator ended: ${complaints.trim().split('\n').at(-1) ?? 'without a word'}`);
    }
    const said = JSON.parse(value) as T & { error?: string };
    if (said.error !== undefined) throw new Error(said.error);
    return said;
  };
  try {
    const { versions = {} } = await answer<{ versions?: Record<string, string> }>();
    return {
      versions,
      ask: async (request) => {
        child.stdin!.write(`${JSON.stringify(request)}\n`);
        return answer<Answer>();
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
