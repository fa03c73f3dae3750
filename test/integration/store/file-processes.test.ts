// The file driver among real processes: exact counts, frozen and killed writers, and disks that are full.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeFileStore } from '../../../lib/store/file.js';
import type { Store } from '../../../lib/store/index.js';
import { makeTempDir, type TempDir } from '../../support/temp.js';
import { compileFileStore } from './compiled-store.js';
import { countIn, increment, text } from './conformance.js';
import { makeJitter } from './jitter.js';

const CHILD = fileURLToPath(new URL('./file-child.mjs', import.meta.url));
const KEY = 'job/HEAD';

interface Child {
  process: ChildProcess;
  lines: string[];
  /** Resolves with the first line that matches, or the nth; rejects if the process ends without it. */
  said(pattern: RegExp, nth?: number): Promise<string>;
  ended: Promise<unknown>;
}

let compiled: TempDir;
let modulePath: string;
let folder: TempDir;
let store: Store;
let children: Child[] = [];

beforeAll(async () => {
  compiled = await makeTempDir('compiled');
  modulePath = await compileFileStore(compiled.path);
});
afterAll(() => compiled.remove());

beforeEach(async () => {
  folder = await makeTempDir('processes');
  store = await makeFileStore({ root: folder.path });
});
afterEach(async () => {
  for (const child of children) child.process.kill('SIGKILL');
  await Promise.all(children.map((child) => child.ended));
  children = [];
  await folder.remove();
});

/** `limits` is a line of shell that comes before. */
function startChild(root: string, role: string, argument = '', limits = ':'): Child {
  const command = `${limits} && exec "$0" "$@"`;
  const child = spawn('bash', ['-c', command, process.execPath, CHILD, modulePath, root, role, argument], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  const reader: Interface = createInterface({ input: child.stdout });
  reader.on('line', (line) => lines.push(line));
  const said = (pattern: RegExp, nth = 1): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const line = lines.filter((one) => pattern.test(one))[nth - 1];
        if (line !== undefined) resolve(line);
      };
      reader.on('line', look).on('close', () => reject(new Error(`ended without ${String(pattern)}: ${lines.join('; ')}`)));
      look();
    });
  const result = { process: child, lines, said, ended: once(child, 'close') };
  children.push(result);
  return result;
}

async function stopped(child: Child): Promise<void> {
  for (;;) {
    const stat = await readFile(`/proc/${child.process.pid}/stat`, 'utf8');
    if (stat.slice(stat.lastIndexOf(')') + 2).startsWith('T')) return;
    await nextTurn();
  }
}

describe('several processes', () => {
  it('count exactly to 2000 in one register, 4 processes with 500 swaps each', async () => {
    await store.putIfAbsent(KEY, text('{"count":0}'));
    const writers = Array.from({ length: 4 }, () => startChild(folder.path, 'count', '500'));
    await Promise.all(writers.map((writer) => writer.said(/^done$/)));
    expect(await countIn(store, KEY)).toBe(2000);
    expect((await readdir(join(folder.path, 'job'))).length).toBeLessThanOrEqual(6);
  });

  it('count exactly while each of them is stopped and woken again and again', async () => {
    await store.putIfAbsent(KEY, text('{"count":0}'));
    const writers = Array.from({ length: 3 }, () => startChild(folder.path, 'count', '100'));
    await Promise.all(writers.map((writer) => writer.said(/^ready$/)));
    const jitter = makeJitter(5);
    let stops = 0;
    while (writers.some((writer) => writer.process.exitCode === null)) {
      const writer = writers[jitter(writers.length)];
      if (writer?.process.kill('SIGSTOP') === true) stops += 1;
      for (let i = jitter(200); i > 0; i--) await nextTurn();
      writer?.process.kill('SIGCONT');
      for (let i = jitter(50); i > 0; i--) await nextTurn();
    }
    expect(stops).toBeGreaterThan(10);
    expect(await countIn(store, KEY)).toBe(300);
  });
});

// /proc tells that a process has really stopped.
describe.skipIf(process.platform !== 'linux')('a stopped process', () => {
  it.each(['link', 'open'])('that wakes up after a takeover has lost (stopped before %s)', async (operation) => {
    await store.putIfAbsent(KEY, text('{"count":0}'));
    const stale = startChild(folder.path, 'swap', operation);
    await stale.said(/^freezing$/);
    await stopped(stale);
    for (let i = 0; i < 10; i++) await increment(store, KEY);
    const before = await store.get(KEY);
    stale.process.kill('SIGCONT');
    expect(await stale.said(/^swapped/)).toBe('swapped false');
    expect(await store.get(KEY)).toEqual(before);
  });

  it('whose tag is still the current one wins when it wakes up', async () => {
    await store.putIfAbsent(KEY, text('{"count":0}'));
    const slow = startChild(folder.path, 'swap', 'link');
    await slow.said(/^freezing$/);
    await stopped(slow);
    slow.process.kill('SIGCONT');
    expect(await slow.said(/^swapped/)).toBe('swapped true');
    expect(await countIn(store, KEY)).toBe(-1);
  });
});

describe('killed processes', () => {
  it('leave a register with every swap they had announced, and no half object', async () => {
    await store.putIfAbsent(KEY, text('{"count":0}'));
    const jitter = makeJitter(11);
    let announced = 0;
    for (let round = 0; round < 6; round++) {
      const writers = [startChild(folder.path, 'churn'), startChild(folder.path, 'churn')];
      for (const writer of writers) {
        await writer.said(/^count/, 1 + jitter(12));
        for (let i = jitter(400); i > 0; i--) await nextTurn(); // somewhere in the middle of something
        writer.process.kill('SIGKILL');
      }
      await Promise.all(writers.map((writer) => writer.ended));
      const counts = writers.flatMap((writer) => writer.lines).map((line) => Number(/^count (\d+)$/.exec(line)?.[1] ?? 0));
      announced = Math.max(announced, ...counts);
      expect(await countIn(store, KEY)).toBeGreaterThanOrEqual(announced);
      announced = await countIn(store, KEY);
    }
    expect(announced).toBeGreaterThan(6);
    let objects = 0;
    for await (const { key } of store.list('data/')) {
      const body = (await store.get(key))?.body ?? expect.fail(`${key} cannot be read`);
      expect(body.subarray(0, 32)).toEqual(createHash('sha256').update(body.subarray(32)).digest());
      objects += 1;
    }
    expect(objects).toBeGreaterThan(0);
    await increment(store, KEY);
  });
});

describe('a full disk', () => {
  async function checkNothingRemains(root: string): Promise<void> {
    const left = await makeFileStore({ root });
    const keys: string[] = [];
    for await (const info of left.list('')) keys.push(`${info.key} ${info.sizeBytes}`);
    expect(keys).toEqual(['data/after 1000', 'data/small 1000', 'job/HEAD 11']);
    expect(await readdir(join(root, '~tmp'))).toEqual([]);
    expect((await readdir(join(root, 'job'))).filter((name) => name.startsWith('~'))).toEqual([]);
  }

  it('by the limit on file sizes is store_full, and nothing of the write remains', async () => {
    const child = startChild(folder.path, 'fill', String(1024 * 1024), 'ulimit -f 256');
    await child.said(/^small still fits$/);
    const full = 'store_full EFBIG';
    expect(child.lines).toEqual(['ready', `put ${full}`, `putIfAbsent ${full}`, `compareAndSwap ${full}`, 'small still fits']);
    await checkNothingRemains(folder.path);
  });

  const canMount = process.platform === 'linux' && process.getuid?.() === 0;
  it.skipIf(!canMount)('by its size is store_full, and nothing of the write remains', async (context) => {
    const root = join(folder.path, 'small-disk');
    await mkdir(root);
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', root]).status !== 0) {
      context.skip('mounting a tmpfs is not allowed here');
    }
    try {
      const child = startChild(root, 'fill', String(1024 * 1024));
      await child.said(/^small still fits$/);
      const full = 'store_full ENOSPC';
      expect(child.lines).toEqual(['ready', `put ${full}`, `putIfAbsent ${full}`, `compareAndSwap ${full}`, 'small still fits']);
      await checkNothingRemains(root);
      await child.ended;
    } finally {
      spawnSync('umount', [root]);
    }
  });
});
