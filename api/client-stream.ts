// The reading end of server-sent events: frames from bytes, and one uninterrupted sequence across connections that break, by
// saying at each new one what came last.
import type { JobEvent } from '../lib/contract/rows.js';

export type StreamedEvent = { kind: 'event'; event: JobEvent } | { kind: 'gap'; after: number; before: number };

export interface StreamOptions {
  /** The last event that is known already; all without. */
  after?: number;
  signal?: AbortSignal;
  /** How long in a row it may fail to connect. */
  patienceMs?: number;
  /** A connection without a byte for so long is dead: the server comments more often. */
  silenceMs?: number;
}

interface Frame {
  event: string;
  data: string;
  id: string | null;
}

const PATIENCE_MS = 60_000;
const SILENCE_MS = 45_000;
const RETRY_MS = 2_000;

/** @param connect opens a connection after an id; 204 says that the job is over. @param mayRetry whether a failure to connect may pass */
export async function* readEventStream(
  connect: (after: number | null, signal: AbortSignal) => Promise<Response>,
  mayRetry: (error: unknown) => boolean,
  { after, signal, patienceMs = PATIENCE_MS, silenceMs = SILENCE_MS }: StreamOptions,
): AsyncGenerator<StreamedEvent, void, void> {
  let last = after ?? null;
  let retryMs = RETRY_MS;
  let failingSince: number | null = null;
  for (;;) {
    signal?.throwIfAborted();
    const silence = new AbortController();
    try {
      const response = await connect(last, signal ? AbortSignal.any([signal, silence.signal]) : silence.signal);
      if (response.status === 204) return;
      failingSince = null;
      let heard = false;
      for await (const item of framesOf(response, silence, silenceMs)) {
        heard ||= typeof item !== 'number';
        if (typeof item === 'number') retryMs = item;
        else if (item.event === 'gap') yield { kind: 'gap', ...(JSON.parse(item.data) as { after: number; before: number }) };
        else {
          if (item.id !== null) last = Number(item.id);
          yield { kind: 'event', event: JSON.parse(item.data) as JobEvent };
        }
      }
      // Ended in order: the job is over, which the next answer says, or the server stops.
      if (!heard) await pause(retryMs, signal);
    } catch (error) {
      signal?.throwIfAborted();
      // What broke in the middle of an answer is no ApiError, and may always be tried again.
      const broken = error instanceof TypeError || error === silence.signal.reason;
      if (!broken && !mayRetry(error)) throw error;
      failingSince ??= performance.now();
      if (performance.now() - failingSince > patienceMs) throw error;
      await pause(retryMs, signal);
    } finally {
      silence.abort();
    }
  }
}

/** Frames, and numbers for how long to wait before the next connection. */
async function* framesOf(response: Response, silence: AbortController, silenceMs: number): AsyncGenerator<Frame | number, void, void> {
  if (!response.body) return;
  const decoder = new TextDecoder();
  let buffer = '';
  let timer: NodeJS.Timeout | undefined;
  const heard = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(new Error('the stream went silent')), silenceMs);
  };
  heard();
  try {
    for await (const bytes of response.body as unknown as AsyncIterable<Uint8Array>) {
      heard();
      buffer += decoder.decode(bytes, { stream: true });
      for (let end = buffer.indexOf('\n\n'); end >= 0; end = buffer.indexOf('\n\n')) {
        const block = buffer.slice(0, end);
        buffer = buffer.slice(end + 2);
        const parsed = parseBlock(block);
        if (parsed !== null) yield parsed;
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

function parseBlock(block: string): Frame | number | null {
  const fields = new Map<string, string>();
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).replace(/^ /, ''));
  }
  const data = fields.get('data');
  if (data !== undefined) return { event: fields.get('event') ?? 'message', data, id: fields.get('id') ?? null };
  const retry = Number(fields.get('retry'));
  return fields.has('retry') && Number.isInteger(retry) && retry >= 0 ? retry : null;
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}
