// A data file that stays open while a training reads it: positional reads that the system carries out while this thread
// is busy, and the check that the file is still the one that was opened.
import { fstatSync, read } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { AppError } from '../errors.js';
import type { DataFile, ReadRun } from './source.js';

/** Takes the handle over. Whoever makes it closes it, and nobody else the handle. */
export function makeDataFile(handle: FileHandle, name: string, param: string | null = null): DataFile {
  const { fd } = handle;
  const opened = versionOf(fd);
  const underWay = new Set<Promise<void>>();
  let readBytes = 0;
  let closing: Promise<void> | null = null;

  return {
    name,
    param,
    sizeBytes: Number(opened.size),
    get readBytes() {
      return readBytes;
    },
    async readAt(into, positionBytes) {
      for (let filled = 0; ; ) {
        const { bytesRead } = await handle.read(into, filled, into.length - filled, positionBytes + filled);
        filled += bytesRead;
        if (bytesRead === 0 || filled === into.length) return filled;
      }
    },
    async read(runs) {
      if (closing !== null) throw new Error(`${name} is closed`);
      if (runs.length === 0) return;
      for (const run of runs) readBytes += run.lengthBytes;
      const reading = readAll(fd, runs, name);
      underWay.add(reading);
      try {
        await reading;
      } finally {
        underWay.delete(reading);
      }
    },
    assertUnchanged() {
      const now = versionOf(fd);
      if (now.size !== opened.size || now.mtimeNs !== opened.mtimeNs) throw changed(name, 'was written to');
    },
    close() {
      // a descriptor that is closed under a read may by then be another file's
      closing ??= Promise.allSettled(underWay).then(() => handle.close());
      return closing;
    },
  };
}

/** Not the time of its directory entry: a file that is only renamed or linked still holds the same bytes. */
function versionOf(fd: number): { size: bigint; mtimeNs: bigint } {
  const { size, mtimeNs } = fstatSync(fd, { bigint: true });
  return { size, mtimeNs };
}

/**
 * One promise for all of them, and callbacks: a FileHandle's promise a read costs twice the processor time. Settles only
 * when none is under way, also after a failure, because the memory is used again.
 */
function readAll(fd: number, runs: readonly ReadRun[], name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = runs.length;
    let failure: AppError | null = null;
    const done = (): void => {
      if (--left > 0) return;
      if (failure === null) resolve();
      else reject(failure);
    };
    const start = ({ positionBytes, lengthBytes, into, offsetBytes }: ReadRun): void => {
      read(fd, into, offsetBytes, lengthBytes, positionBytes, (error, count) => {
        if (error !== null) failure ??= new AppError('data_missing', `${name}: it cannot be read (${error.code ?? error.message})`, { cause: error });
        else if (count === 0) failure ??= changed(name, 'became shorter');
        else if (count < lengthBytes) return start({ positionBytes: positionBytes + count, lengthBytes: lengthBytes - count, into, offsetBytes: offsetBytes + count });
        done();
      });
    };
    runs.forEach(start);
  });
}

const changed = (name: string, how: string): AppError => new AppError('data_changed', `${name} ${how} while it was read`);
