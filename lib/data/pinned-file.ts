// A file as it was when somebody looked at it: only that very file is ever opened again, and while a trainer reads it, it is
// hashed. Whoever takes what he needs in the order in which it lies there reads it once; what nobody takes is read for the
// hash alone.
import { basename } from 'node:path';
import { makeDataFile } from './data-file.js';
import { beginHashing, type Fingerprint, recallSha256, rememberSha256 } from './fingerprint.js';
import { interruptible } from './interruptible.js';
import { isAtRest, notAsItWas, notNeeded, openSettled, type SettledFile } from './locations.js';
import { naming } from './naming.js';
import type { DataFile, PinnedFile } from './source.js';

/** A file that was looked at. */
export interface Pin {
  file: PinnedFile;
  /** Its sha256, if it was known or is among what was hashed since; else null. */
  sha256(hashed: readonly Fingerprint[]): string | null;
}

/**
 * @param known where its bytes passed by already, with all these members checked
 * @param members names of a zip's, to be checked where its bytes are hashed
 * @throws AppError data_changed if the known bytes are those of another file
 */
export function pinFile(path: string, settled: SettledFile, known: Fingerprint | null, members: readonly string[], param: string): Pin {
  const { identity } = settled;
  if (known !== null && known.identity !== identity) throw notAsItWas(path, param);
  const sha256 = known?.sha256 ?? recallSha256(identity, members);
  const atRest = isAtRest(settled);
  return {
    file: { path, identity, param, hash: sha256 === null },
    sha256(hashed) {
      if (sha256 !== null) return sha256;
      const found = hashed.find((each) => each.identity === identity);
      if (found === undefined) return null;
      if (atRest) rememberSha256(found, members);
      return found.sha256;
    },
  };
}

/** It is open, and as it was pinned. */
export interface OpenPin extends DataFile {
  /** Hashes what lies before a position, reading what was not read yet. Whoever is to read on from there reads nothing twice. */
  passTo(positionBytes: number): Promise<void>;
  /** Hashes what is left, too; null if its hash is not asked for. AppError `data_changed` if the file was written to or lies elsewhere now, `invalid_data` (see beginHashing). */
  fingerprint(): Promise<Fingerprint | null>;
}

const PIECE_BYTES = 1024 * 1024;

/** Whoever opens closes. `signal` ends what reads it in order. AppError `data_missing`, or `data_changed` where it is another file by now. */
export async function openPinned(pinned: PinnedFile, members: readonly string[], signal: AbortSignal | null = null): Promise<OpenPin> {
  const { path, param = null } = pinned;
  const settled = await openSettled(path);
  const { identity } = settled;
  const file = makeDataFile(settled.file, basename(path), param);
  const bytes = signal === null ? file : interruptible(file, signal, () => notNeeded(file.name));
  try {
    if (pinned.identity !== undefined && pinned.identity !== identity) throw notAsItWas(path, param);
    const hashing = pinned.hash ? await beginHashing(bytes, members) : null;
    let passedBytes = 0;

    /** Bytes that were read: those that follow what has passed pass now. */
    const pass = (bytes: Uint8Array, positionBytes: number): void => {
      const skip = passedBytes - positionBytes;
      if (hashing === null || skip < 0 || skip >= bytes.length) return;
      hashing.take(bytes.subarray(skip));
      passedBytes = positionBytes + bytes.length;
    };
    const passTo = async (endBytes: number): Promise<void> => {
      if (hashing === null || passedBytes >= endBytes) return;
      const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, endBytes - passedBytes));
      while (passedBytes < endBytes) {
        const from = passedBytes;
        const filled = await naming(file, () => bytes.readAt(piece.subarray(0, endBytes - from), from));
        if (filled === 0) return;
        pass(piece.subarray(0, filled), from);
      }
    };

    return {
      name: file.name,
      param,
      sizeBytes: file.sizeBytes,
      get readBytes() {
        return file.readBytes;
      },
      async readAt(into, positionBytes) {
        const filled = await bytes.readAt(into, positionBytes);
        pass(into.subarray(0, filled), positionBytes);
        return filled;
      },
      read: file.read,
      assertUnchanged: file.assertUnchanged,
      close: bytes.close,
      passTo,
      async fingerprint() {
        await passTo(file.sizeBytes);
        file.assertUnchanged();
        if (hashing === null) return null;
        const after = await openSettled(path);
        await after.file.close();
        if (after.identity !== identity) throw notAsItWas(path, param);
        return { sha256: hashing.sha256(), identity };
      },
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Its hash, if it is asked for; reads all of it, until the signal. Errors of openPinned and fingerprint. */
export async function hashPinned(pinned: PinnedFile, members: readonly string[], signal: AbortSignal): Promise<Fingerprint | null> {
  const file = await openPinned(pinned, members, signal);
  try {
    return await file.fingerprint();
  } finally {
    await file.close();
  }
}
