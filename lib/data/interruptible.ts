// Bytes that nobody waits for after a signal: no read begins any more, and one that hangs is left to itself.
import type { AppError } from '../errors.js';
import type { ByteSource } from './source.js';

/** The same source until the signal: then every read rejects with `late()`. Whoever closes it closes the source. */
export function interruptible(source: ByteSource, signal: AbortSignal, late: () => AppError): ByteSource {
  return {
    name: source.name,
    param: source.param,
    sizeBytes: source.sizeBytes,
    readAt: (into, positionBytes) => unlessAborted(() => source.readAt(into, positionBytes), signal, late),
    // a read that hangs would keep it from closing: it closes after that
    close: async () => {
      const closing = source.close().catch(() => undefined);
      if (!signal.aborted) await closing;
    },
  };
}

/** Work that is not begun after the signal, and not waited for any longer. */
export async function unlessAborted<T>(work: () => Promise<T>, signal: AbortSignal, late: () => AppError): Promise<T> {
  if (signal.aborted) throw late();
  let end = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => (end = () => reject(late())));
  signal.addEventListener('abort', end, { once: true });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    signal.removeEventListener('abort', end);
  }
}
