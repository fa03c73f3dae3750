// The seam to durable storage: nine verbs over immutable objects and registers, and which driver serves a URL.
// A driver is one file (file.ts, s3.ts) with what it alone imports, and passes the conformance suite. Meaning of keys is
// not its business.
//
// A key whose last segment is `HEAD` is a REGISTER: it is created by putIfAbsent and changed only by compareAndSwap.
// It is never empty, and no two of its versions have the same bytes: a tag of S3 is a digest of the body, so that a
// register that went from A to B and back to A would let a stale swap through. Every other key is an ordinary object.
// Keys are relative paths of [A-Za-z0-9._-] segments joined by `/`, none of them `.`, `..` or `HEAD.<digits>`; `HEAD` is
// only ever the last; `a/b` and `a/b/c` never both exist (some servers map keys to paths).
//
// Errors. Outcomes that the caller must decide on are values (`created: false`, `swapped: false`, `null`).
// Everything else is an AppError: `store_unavailable` (no answer, or an answer that leaves open whether a write took
// effect: the caller reads back), `checkpoint_corrupt` (it is not what was written), `store_full` (ENOSPC, quota; the write did not take effect), `store_unsafe` (the probe
// failed, or it does not list in order, or has no links), `range_not_satisfiable`. A key or verb against these rules is a
// mistake of the caller and a TypeError.

/** A file of this machine that nobody changes meanwhile: it is read in pieces, so it may be larger than memory. */
export interface FileBody {
  path: string;
  sizeBytes: number;
}
/** What an ordinary object is made of. */
export type Body = Uint8Array | FileBody;

export interface ObjectInfo {
  key: string;
  sizeBytes: number;
  /** Opaque version tag, without quotes. Changes with every write of a register. Never a content hash. */
  etag: string;
  modifiedAt: Date;
}

export interface StoredObject {
  body: Buffer;
  etag: string;
}

export type CreateOutcome = { created: true; etag: string } | { created: false };
export type SwapOutcome = { swapped: true; etag: string } | { swapped: false };

export interface CallOptions {
  /** Cancels the call; it then rejects with `store_unavailable`, and a write may or may not have happened. */
  signal?: AbortSignal;
}

export interface GetOptions extends CallOptions {
  /** Inclusive byte range, as in HTTP. */
  range?: { start: number; end: number };
}

export interface ListOptions extends CallOptions {
  /** Only keys strictly after this one, in byte order. */
  after?: string;
  /** At most so many, default no limit. */
  limit?: number;
}

export interface Store {
  /** For people: `file:/var/lib/pawl` or `s3://bucket/prefix`. Never a credential. */
  readonly description: string;
  /** Writes an object, replacing what is there. Not for registers. Durable when it resolves. */
  put(key: string, body: Body, options?: CallOptions): Promise<{ etag: string }>;
  /** Writes only if nothing is there, atomically among any number of racing writers. */
  putIfAbsent(key: string, body: Uint8Array, options?: CallOptions): Promise<CreateOutcome>;
  /** Replaces a register only if its tag still is `etag`. A missing register is `swapped: false`. */
  compareAndSwap(key: string, body: Uint8Array, etag: string, options?: CallOptions): Promise<SwapOutcome>;
  /** The whole object or a range of it, in memory: of what may be gigabytes, ranges only. Null where there is none. */
  get(key: string, options?: GetOptions): Promise<StoredObject | null>;
  head(key: string, options?: CallOptions): Promise<ObjectInfo | null>;
  /**
   * What a read of this key has shown lasts once this resolves. A folder shows names that are not on its disk yet, and an answer to its
   * writer may be lost, so whoever acts on what it only read, or passes it on as done, asks first.
   */
  confirm(key: string, options?: CallOptions): Promise<void>;
  /** Keys that start with `prefix` (any string, not only a folder), in byte order, each register once under its own name. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo>;
  /** The same keys and no more: for lists of thousands, because a folder tells names without looking at each file. */
  keys(prefix: string, options?: ListOptions): AsyncIterable<string>;
  /** Removes an object; a missing one is no error. */
  delete(key: string, options?: CallOptions): Promise<void>;
  /** Why nothing that this process writes can be trusted any more, until it is started again; null: it can. */
  brokenBy(): string | null;
  /** Ends connections; the store is not used afterwards. */
  close(): Promise<void>;
}
