// Server-sent events on one connection: frames, comments that keep it open, and an end for a reader who does not read. Nothing is
// written before what was written has gone, so that a slow reader costs one batch of memory and no more; nor does the last of it
// wait for ever.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

export interface EventStreamTiming {
  streamCommentMs: number;
  streamStallMs: number;
  streamRetryMs: number;
}

export interface EventStream {
  /** Aborted when the reader has gone or was cut. */
  readonly signal: AbortSignal;
  /** @throws the signal's reason */
  write(frames: string): Promise<void>;
  /** Ends the response in order; the reader may come again. */
  end(): void;
}

export function frame(event: string, data: unknown, id: number | null): string {
  return `${id === null ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

export function openEventStream(raw: ServerResponse, headers: Record<string, string | number | string[] | undefined>, timing: EventStreamTiming): EventStream {
  const gone = new AbortController();
  const comments = setInterval(() => {
    // Whoever has not read what is there already needs no comment.
    if (!raw.writableNeedDrain) raw.write(': still here\n\n');
  }, timing.streamCommentMs);
  raw.once('close', () => {
    clearInterval(comments);
    gone.abort(new Error('the reader has gone'));
  });
  raw.on('error', () => undefined);
  raw.writeHead(200, {
    ...headers,
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
    // Its connection ends with it: a server that closes waits for none that might be used again.
    connection: 'close',
  });
  raw.write(`retry: ${timing.streamRetryMs}\n\n`);

  return {
    signal: gone.signal,
    write: async (frames) => {
      gone.signal.throwIfAborted();
      if (raw.write(frames)) return;
      const stalled = setTimeout(() => raw.destroy(), timing.streamStallMs);
      try {
        await once(raw, 'drain', { signal: gone.signal });
      } finally {
        clearTimeout(stalled);
      }
    },
    end: () => {
      if (raw.writableEnded || raw.destroyed) return;
      raw.end();
      const stalled = setTimeout(() => raw.destroy(), timing.streamStallMs);
      raw.once('close', () => clearTimeout(stalled));
    },
  };
}
