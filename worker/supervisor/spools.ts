// The folders that the workers of a machine spool into, one a worker, beside one another. Each says whose it is: what a worker that
// died left behind takes room from the others, and goes as soon as one of them looks; what belongs to a living one stays.
import { mkdir, readdir, readFile, readlink, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.js';
import type { Log } from '../../lib/log.js';
import { startTime } from '../../lib/process-files.js';

export interface Spool {
  readonly folder: string;
  /** Says that its owner lives to those who cannot see its process. */
  touch(): void;
  /** Removes what workers that died left beside it. Never fails. */
  sweep(): Promise<void>;
  remove(): Promise<void>;
}

export interface SpoolOptions {
  /** Where all of them are. */
  root: string;
  /** The worker's id, `wrk_…`. */
  id: string;
  clock: Pick<Clock, 'now'>;
  log: Pick<Log, 'info' | 'warn'>;
}

interface Owner {
  host: string;
  /** One run of the host's system, and the process numbers that count; empty where the system does not say. Elsewhere a number is another process. */
  boot: string;
  pids: string;
  pid: number;
  /** So that another process with the same number is not taken for it. */
  started: string;
}

/** Of those whose process cannot be looked for: they died, or have lost their jobs to others. */
const STALE_MS = 600_000;

/** Makes the worker's own folder, after a look at those that are there. */
export async function makeSpool({ root, id, clock, log }: SpoolOptions): Promise<Spool> {
  const folder = join(root, id);
  const me: Owner = { host: hostname(), boot: (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim(), pids: await readlink('/proc/self/ns/pid').catch(() => ''), pid: process.pid, started: await startTime(process.pid) };

  async function isLeft(path: string): Promise<boolean> {
    const owner = await ownerOf(path);
    const gone = owner !== null && owner.host === me.host && owner.boot === me.boot && owner.pids === me.pids ? await isGone(owner) : null;
    if (gone !== null) return gone;
    const touched = await stat(path).catch(() => null);
    return touched !== null && clock.now().getTime() - touched.mtimeMs > STALE_MS;
  }

  async function sweep(): Promise<void> {
    for (const name of await readdir(root).catch(() => [])) {
      const path = join(root, name);
      if (!name.startsWith('wrk_') || !(await isLeft(path))) continue;
      // Its trainer may live a moment longer and write into it, or another worker remove it too.
      await rm(path, { recursive: true, force: true, maxRetries: 3 }).then(
        () => log.info({ worker: name }, 'removed the spool of a worker that died'),
        (error: unknown) => log.warn({ worker: name, err: error }, 'the spool of a worker that died could not be removed'),
      );
    }
  }

  await mkdir(root, { recursive: true });
  await sweep();
  await mkdir(folder);
  await writeFile(join(folder, OWNER), JSON.stringify(me)).catch((error: unknown) => log.warn({ err: error }, 'the spool does not say whose it is'));

  return {
    folder,
    touch: () => {
      const now = clock.now();
      utimes(folder, now, now).catch(() => undefined);
    },
    sweep,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

const OWNER = 'owner.json';

/** Whether the process is no more; null where that cannot be seen. */
async function isGone({ pid, started }: Owner): Promise<boolean | null> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return true;
  }
  const seen = await startTime(pid);
  return seen === '' || started === '' ? null : seen !== started;
}

/** Null where it does not say, or not yet. */
async function ownerOf(path: string): Promise<Owner | null> {
  try {
    return JSON.parse(await readFile(join(path, OWNER), 'utf8')) as Owner;
  } catch {
    return null;
  }
}
