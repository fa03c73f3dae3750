// Holding a data folder exclusively: one `up` at a time, and a holder that was killed does not keep the next one out. One on this
// machine is looked up; one elsewhere (the folder may be on a network, or shared by containers) shows by its lock that it lives.
import { type FileHandle, link, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, messageOf } from '../../lib/errors.js';
import { fateOf, identify, parseIdentity, type ProcessIdentity } from '../../lib/process-identity.js';

const BEAT_MS = 2_000;
/** Of a holder elsewhere, after which it counts as gone. */
const SILENT_MS = 30_000;
const LOOK_MS = 250;

export interface HoldOptions {
  /** That somebody elsewhere is listened for, which takes a while. */
  say?: (line: string) => void;
  signal?: AbortSignal | undefined;
}

/** @returns a function that lets go. @throws AppError invalid_state naming the process that holds it, invalid_request if it cannot be made */
export async function holdFolder(folder: string, { say = () => undefined, signal }: HoldOptions = {}): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw new AppError('invalid_request', `the data folder cannot be made: ${messageOf(error)} (--data takes another)`);
  });
  const lock = join(folder, 'up.lock');
  const me = await identify(process.pid);
  const text = JSON.stringify(me);
  // Of this process on this machine: two hosts may give the same number.
  const mine = join(folder, `up.lock.${me.host}.${me.pid}`);
  const read = async (path: string): Promise<ProcessIdentity | null> => parseIdentity(await readFile(path, 'utf8').catch(() => ''), me);
  await writeFile(mine, text);
  // The file itself, wherever it is linked and moved: never another's in its place.
  const file = await open(mine, 'r+');
  let isHeld = false;
  try {
    for (let tries = 0; tries < 10; tries++) {
      try {
        await link(mine, lock);
        isHeld = true;
        return keepHeld(file, lock, text);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = await read(lock);
      switch (holder && (await fateOf(holder))) {
        case 'running':
          throw new AppError('invalid_state', `${folder} is in use by process ${holder!.pid}: one \`up\` per data folder (--data takes another)`);
        case 'elsewhere':
          if (await showsLife(lock, holder!, { mine, text, say, signal })) throw new AppError('invalid_state', `${folder} is in use by process ${holder!.pid} on ${holder!.host}: one \`up\` per data folder (end that one there, or take another with --data)`);
          break;
        case 'gone':
        case null:
      }
      // Moved aside first, then looked at again: whoever moved another lock puts it back.
      const aside = `${mine}.aside`;
      await rename(lock, aside).catch(() => undefined);
      const moved = await read(aside);
      if (moved && JSON.stringify(moved) !== JSON.stringify(holder)) await link(aside, lock).catch(() => undefined);
      await rm(aside, { force: true });
    }
    throw new AppError('invalid_state', `${folder} is being taken by another process`);
  } finally {
    if (!isHeld) await file.close();
    await rm(mine, { force: true });
  }
}

/** Writes the lock again and again, for those who cannot look the holder up. */
function keepHeld(file: FileHandle, lock: string, text: string): () => Promise<void> {
  const beat = async (): Promise<void> => {
    // Writing, and not setting a time: it is then the time of the disk's own machine. Of a folder on a network it is known elsewhere only once it is synced.
    await file.write(text, 0);
    await file.datasync();
  };
  let beating: Promise<void> | null = null;
  const timer = setInterval(() => void (beating ??= beat().catch(() => undefined).finally(() => (beating = null))), BEAT_MS);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await beating;
    await file.close();
    if ((await readFile(lock, 'utf8').catch(() => '')) === text) await rm(lock, { force: true });
  };
}

/** Watches a lock until its holder has written it again, or has not for too long, by the clock of the disk. */
async function showsLife(lock: string, { pid, host }: ProcessIdentity, { mine, text, say, signal }: HoldOptions & { mine: string; text: string }): Promise<boolean> {
  const writtenAt = async (path: string): Promise<number | null> => stat(path).then(({ mtimeMs }) => mtimeMs, () => null);
  const seen = await writtenAt(lock);
  for (let looks = 0; ; looks++) {
    await writeFile(mine, text);
    const [last, now] = await Promise.all([writtenAt(lock), writtenAt(mine)]);
    if (last !== null && last !== seen) return true;
    if (last === null || now! - last > SILENT_MS) return false;
    if (looks === 0) say?.(`process ${pid} on ${host} holds the data folder; waiting for a sign of life (at most ${SILENT_MS / 1_000} s)`);
    await sleep(LOOK_MS, undefined, { signal });
  }
}
