// The folders that the workers of a machine spool into, one a worker, beside one another. Each says whose it is: what a worker that
// died left behind takes room from the others, and goes as soon as one of them looks; what belongs to a living one stays.
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.js';
import type { Log } from '../../lib/log.js';
import { fateOf, identify, parseIdentity } from '../../lib/process-identity.js';

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

/** Of those whose process cannot be looked for: they died, or have lost their jobs to others. */
const STALE_MS = 600_000;

/** Makes the worker's own folder, after a look at those that are there. */
export async function makeSpool({ root, id, clock, log }: SpoolOptions): Promise<Spool> {
  const folder = join(root, id);
  const me = await identify(process.pid);

  async function isLeft(path: string): Promise<boolean> {
    const owner = parseIdentity(await readFile(join(path, OWNER), 'utf8').catch(() => ''), me);
    const fate = owner === null ? 'elsewhere' : await fateOf(owner);
    if (fate !== 'elsewhere') return fate === 'gone';
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
