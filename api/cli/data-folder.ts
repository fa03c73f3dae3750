// Holding a data folder exclusively: one `up` at a time, and a holder that was killed does not keep the next one out.
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, messageOf } from '../../lib/errors.js';
import { startTime } from '../../lib/process-files.js';

interface Holder {
  pid: number;
  started: string;
}

/** @returns a function that lets go. @throws AppError invalid_state naming the process that holds it, invalid_request if it cannot be made */
export async function holdFolder(folder: string): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw new AppError('invalid_request', `the data folder cannot be made: ${messageOf(error)} (--data takes another)`);
  });
  const lock = join(folder, 'up.lock');
  const mine = join(folder, `up.lock.${process.pid}`);
  const me: Holder = { pid: process.pid, started: await startTime(process.pid) };
  await writeFile(mine, JSON.stringify(me));
  try {
    for (let tries = 0; tries < 10; tries++) {
      try {
        await link(mine, lock);
        return async () => rm(lock, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = await read(lock);
      if (holder && (await startTime(holder.pid)) === holder.started) throw new AppError('invalid_state', `${folder} is in use by process ${holder.pid}: one \`up\` per data folder (--data takes another)`);
      // Moved aside first, then looked at again: whoever moved a live lock puts it back.
      const aside = `${mine}.aside`;
      await rename(lock, aside).catch(() => undefined);
      const moved = await read(aside);
      if (moved && (await startTime(moved.pid)) === moved.started) await link(aside, lock).catch(() => undefined);
      await rm(aside, { force: true });
    }
    throw new AppError('invalid_state', `${folder} is being taken by another process`);
  } finally {
    await rm(mine, { force: true });
  }
}

async function read(path: string): Promise<Holder | null> {
  const text = await readFile(path, 'utf8').catch(() => null);
  try {
    return text === null ? null : (JSON.parse(text) as Holder);
  } catch {
    return null;
  }
}
