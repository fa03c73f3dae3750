// The queue as plain JavaScript in a temporary folder, so that tests can run it in processes of their own.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { makeTempDir } from '../../support/temp.js';
import { until } from './setup.js';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
const SOURCES = ['lib/queue', 'lib/contract', 'lib/errors.ts', 'lib/clock.ts'];

export interface CompiledQueue {
  /** Runs a module body that has `connectQueue` and `say(value)`; its lines of JSON are the answers. */
  run(body: string, args?: readonly unknown[]): QueueProcess;
  remove(): Promise<void>;
}

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

export async function compileQueue(): Promise<CompiledQueue> {
  const dir = await makeTempDir('queue');
  await writeFile(join(dir.path, 'package.json'), '{"type":"module"}');
  await symlink(join(ROOT, 'node_modules'), join(dir.path, 'node_modules'));
  for (const source of SOURCES) {
    const path = join(ROOT, source);
    const files = source.endsWith('.ts') ? [path] : (await readdir(path)).filter((name) => name.endsWith('.ts')).map((name) => join(path, name));
    for (const file of files) {
      const { outputText } = ts.transpileModule(await readFile(file, 'utf8'), {
        compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true },
        fileName: file,
      });
      const out = join(dir.path, relative(ROOT, file).replace(/\.ts$/, '.js'));
      await mkdir(dirname(out), { recursive: true });
      await writeFile(out, outputText);
    }
  }
  let count = 0;
  return {
    remove: dir.remove,
    run(body, args = []) {
      count += 1;
      const file = join(dir.path, `run-${count}.mjs`);
      const source = [
        `import { connectQueue } from './lib/queue/index.js';`,
        `const args = ${JSON.stringify(args)};`,
        `const say = (value) => process.stdout.write(JSON.stringify(value) + '\\n');`,
        body,
      ].join('\n');
      const said: unknown[] = [];
      let errors = '';
      writeFileSync(file, source);
      const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'pipe'], cwd: dir.path });
      let rest = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        said.push(...lines.map((line) => JSON.parse(line) as unknown));
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
      const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string);
      return {
        child,
        said,
        ended,
        stderr: () => errors,
        async says(count) {
          await until(`a process says ${count} things`, () => {
            if (said.length < count && child.exitCode !== null) throw new Error(`the process ended with ${child.exitCode}: ${errors}`);
            return said.length >= count;
          });
        },
      };
    },
  };
}
