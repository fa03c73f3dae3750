// The queue in a process of its own, from dist/: to be killed, or to show that it ends by itself.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { onTestFinished } from 'vitest';
import { until } from './setup.js';

const QUEUE = pathToFileURL(join(import.meta.dirname, '../../../dist/lib/queue/index.js')).href;

export interface QueueProcess {
  child: ChildProcess;
  /** What it said so far. */
  said: unknown[];
  /** Resolves with the exit code, or the signal's name. */
  ended: Promise<number | string>;
  stderr(): string;
  /** Waits until it has said so many things; throws what it printed on stderr if it ends first. */
  says(count: number): Promise<void>;
}

/** Runs a module body that has `connectQueue`, `args` and `say(value)`. Killed with the test at the latest. */
export function runQueueProcess(body: string, args: readonly unknown[]): QueueProcess {
  const source = [
    `import { connectQueue } from ${JSON.stringify(QUEUE)};`,
    `const args = ${JSON.stringify(args)};`,
    `const say = (value) => process.stdout.write(JSON.stringify(value) + '\\n');`,
    body,
  ].join('\n');
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const said: unknown[] = [];
  let rest = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    said.push(...lines.map((line) => JSON.parse(line) as unknown));
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  return {
    child,
    said,
    ended: once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string),
    stderr: () => errors,
    says: (count) =>
      until(`a process says ${count} things`, () => {
        if (said.length < count && child.exitCode !== null) throw new Error(`the process ended with ${child.exitCode}: ${errors}`);
        return said.length >= count;
      }),
  };
}
