// Set-up where TensorFlow cannot be had: it says why in one line and goes on with the engine wasm. In a copy of set-up beside a
// package of TensorFlow's name, with programs that do what those of such a machine do.
import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { makeTempDir } from '../../support/temp.js';

let root: string;
let cache: string;
const library = 'libtensorflow-2.20.0-cpu';

beforeEach(async () => {
  const folder = await makeTempDir('without-tensorflow');
  onTestFinished(folder.remove);
  root = join(folder.path, 'checkout');
  cache = join(folder.path, 'cache');
  await cp(join(import.meta.dirname, '../../../infra/setup'), join(root, 'infra/setup'), { recursive: true });
  await write(join(root, 'node_modules/@tensorflow/tfjs-node-gpu/package.json'), '{"version": "4.22.0", "main": "index.js"}');
  // What the library's first instruction of AVX does to a process whose CPU has none.
  await write(join(root, 'node_modules/@tensorflow/tfjs-node-gpu/index.js'), 'process.kill(process.pid, "SIGILL");');
  await program('g++', 'while [ "$1" != -o ]; do shift; done; echo made > "$2"');
});

async function write(path: string, text: string): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, text);
}

async function program(name: string, script: string): Promise<void> {
  await write(join(root, 'bin', name), `#!/bin/sh\n${script}\n`);
  await chmod(join(root, 'bin', name), 0o755);
}

/** pip that works, but for `download`. */
const pipWithout = (download: string): Promise<void> => program('python3', `case "$3" in --version) echo pip 24;; download) ${download};; *) exit 9;; esac`);

async function setUp(asked: 'cpu' | null = null): Promise<{ lines: string[]; err: string }> {
  const script = `import { setUpEngine } from ${JSON.stringify(join(root, 'infra/setup/engine.mjs'))}; console.log(await setUpEngine(${JSON.stringify(root)}, 'cpu', ${JSON.stringify(asked)}))`;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { env: { PATH: `${join(root, 'bin')}:/usr/bin:/bin`, HOME: root, XDG_CACHE_HOME: cache } });
  return { lines: stdout.trimEnd().split('\n'), err: stderr };
}
const wasm = (why: RegExp) => [expect.stringMatching(new RegExp(`^set-up: \\*\\*\\* NO TENSORFLOW: jobs run on the engine wasm, several times slower\\. ${why.source} \\*\\*\\*$`)) as string, 'engine wasm, without TensorFlow'];

test('a package index that cannot be reached', async () => {
  await pipWithout('echo "WARNING: Retrying" >&2; echo "ERROR: No matching distribution found" >&2; exit 1');
  const { lines, err } = await setUp();
  expect(lines.slice(-2)).toEqual(wasm(/pip could not fetch tensorflow-cpu 2\.20\.0 \(ERROR: No matching distribution found\)\. Is its package index reachable\?/));
  expect(err).toBe('');
  expect((await readdir(join(cache, 'pawl'))).filter((name) => name !== 'libtensorflow-2.20.0-cpu'), 'half a download').toEqual([]);
});

test('a CPU for which the library is not made', async () => {
  for (const name of ['lib/libtensorflow_cc.so.2', 'lib/libtensorflow_framework.so.2', 'lib/libtensorflow.so', 'include/tensorflow/c/c_api.h']) await write(join(cache, 'pawl', library, name), '');
  const { lines } = await setUp();
  expect(lines.slice(-2)).toEqual(wasm(/The TensorFlow addon was built but fails its self-check \(ended by SIGILL\)\. A CPU with AVX is needed; .*/));
  // A trainer that found it would be ended in the same way.
  expect(await readdir(join(root, 'node_modules/@tensorflow/tfjs-node-gpu'))).not.toContain('deps');
  expect(await readdir(join(root, 'node_modules/@tensorflow/tfjs-node-gpu/lib/napi-v8'))).toEqual([]);
});

test('a cache that cannot be written', async () => {
  await pipWithout('exit 1');
  await write(cache, 'a file in its place');
  const { lines, err } = await setUp();
  expect(lines).toEqual(wasm(new RegExp(`${cache}/pawl cannot be written \\(ENOTDIR\\)\\. .*set XDG_CACHE_HOME to a folder instead of ${cache}\\.`)));
  expect(err).toBe('');
});

test('whoever asked for TensorFlow by name is told that it cannot be had', async () => {
  await pipWithout('exit 1');
  await expect(setUp('cpu')).rejects.toMatchObject({ stderr: expect.stringContaining('pip could not fetch tensorflow-cpu 2.20.0') as string });
});
