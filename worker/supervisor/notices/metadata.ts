// Asking a cloud's metadata service: plain HTTP on a link-local address, short answers, short patience.

export interface MetadataAnswer {
  status: number;
  headers: Headers;
  /** At most BODY_MAX of it. */
  text: string;
}

export interface MetadataRequest {
  method?: 'GET' | 'PUT' | 'POST';
  headers?: Readonly<Record<string, string>>;
  body?: string;
  timeoutMs: number;
  signal: AbortSignal;
}

const BODY_MAX = 64 * 1024;

/** @throws whatever fetch does, also when there is no whole answer in time */
export async function askMetadata(url: string, { method = 'GET', headers = {}, body, timeoutMs, signal }: MetadataRequest): Promise<MetadataAnswer> {
  const answer = await fetch(url, { method, headers, redirect: 'error', signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]), ...(body === undefined ? {} : { body }) });
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body ?? []) {
    size += (chunk as Uint8Array).length;
    if (size > BODY_MAX) throw new Error(`${url} answers with more than ${BODY_MAX} bytes`);
    chunks.push(chunk as Uint8Array);
  }
  return { status: answer.status, headers: answer.headers, text: Buffer.concat(chunks).toString('utf8') };
}

/**
 * How long it is until `atMs`, a time that this answer names: by the answer's own clock, for this machine's may be wrong by more than all the
 * time there is. Its Date has whole seconds, so it is up to one too long.
 */
export function untilMs(atMs: number, { headers }: Pick<MetadataAnswer, 'headers'>, nowMs = Date.now()): number {
  const saidMs = Date.parse(headers.get('date') ?? '');
  return Math.max(0, atMs - (Number.isNaN(saidMs) ? nowMs : saidMs));
}

/** An answer that says neither yes nor no. */
export class UnexpectedAnswer extends Error {
  readonly status: number;

  constructor(url: string, { status, text }: Pick<MetadataAnswer, 'status' | 'text'>) {
    super(`${url} answers ${status}: ${text.slice(0, 200)}`);
    this.name = 'UnexpectedAnswer';
    this.status = status;
  }
}

/** Statuses by which a service says that it is there and cannot answer now: it is starting, overloaded, or (410, Azure) being updated. */
export const isBusy = (status: number): boolean => status >= 500 || status === 408 || status === 410 || status === 429;
