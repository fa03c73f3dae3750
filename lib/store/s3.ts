// The S3 driver: the seam's verbs as S3 requests with explicit limits on time. Conditional writes are in s3-conditional.ts.
//
// A short body carries its sha256 as metadata, and is read again where it arrives as another one, or refused: HEAD and a job's
// record have no other hash, and what was damaged on the way must not be trained by, or written back as the truth. Long bodies
// are blobs, whose readers know their hashes.

import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { AppError } from '../errors.js';
import { sha256Of } from '../sha256.js';
import { isFile, WHOLE_BYTES, wholeOf } from './body.js';
import { withBudget, type Budget } from './budget.js';
import {
  assertCompareAndSwap,
  assertKey,
  assertPut,
  assertPutIfAbsent,
  assertRange,
  couldStartKey,
  isKey,
  withoutQuotes,
} from './keys.js';
import type { CallOptions, GetOptions, ListOptions, ObjectInfo, Store, StoredObject } from './index.js';
import { makeS3Client, type S3ClientOptions, timeoutsOf } from './s3-client.js';
import { type Condition, LONG_BODY_BYTES, putIf, TOKEN } from './s3-conditional.js';
import { isMissing, toStoreError } from './s3-errors.js';
import { putInParts } from './s3-parts.js';

export interface S3StoreOptions extends S3ClientOptions {
  bucket: string;
  /** Folder inside the bucket, without slashes at its ends; empty for the whole bucket. */
  prefix: string;
}

const ATTEMPTS = 3;
const PAGE_KEYS = 1000;
const DIGEST = 'pawl-sha256';
/** Of a body that arrives otherwise than it was written. */
const READS = 3;

export function makeS3Store(options: S3StoreOptions): Store {
  const timeouts = timeoutsOf(options);
  const Bucket = options.bucket;
  const root = parsePrefix(options.prefix);
  const [retrying, once] = [makeS3Client(options, ATTEMPTS), makeS3Client(options, 1)];
  const transferMs = (bytes: number): number => (bytes / timeouts.minBytesPerSecond) * 1000;

  /** One verb under its total budget, its failure as the store's own error. */
  async function call<T>(what: string, bytes: number, { signal }: CallOptions, run: (budget: Budget) => Promise<T>): Promise<T> {
    try {
      return await withBudget(what, timeouts.budgetMs + transferMs(bytes), signal, run);
    } catch (error) {
      throw toStoreError(what, error);
    }
  }

  const limits = ({ signal }: Budget, bytes = 0): { abortSignal: AbortSignal; requestTimeout: number } => ({
    abortSignal: signal,
    requestTimeout: Math.ceil(timeouts.requestMs + transferMs(bytes)),
  });

  // https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
  async function look(key: string, budget: Budget): Promise<{ info: ObjectInfo; token: string | undefined } | null> {
    try {
      const answer = await retrying.send(new HeadObjectCommand({ Bucket, Key: root + key }), limits(budget));
      return { info: toInfo(key, answer.ContentLength, answer.ETag, answer.LastModified), token: answer.Metadata?.[TOKEN] };
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  /** The tag of the written object, or null if the condition did not hold. */
  function putOn(key: string, body: Uint8Array, condition: Condition, budget: Budget): Promise<string | null> {
    const written = { body: toBuffer(body), metadata: digestOf(body), condition };
    return putIf({ client: once, look: (within) => look(key, within), limits }, { Bucket, Key: root + key }, written, budget);
  }

  // https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
  async function* list(prefix: string, { after = '', limit = Infinity, signal }: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    if (!couldStartKey(prefix)) return;
    // Paged by key and not by token: the order is needed anyway, and a lost page is simply asked for again.
    let last = after === '' ? '' : root + after;
    for (let left = limit; left > 0; ) {
      const from = last === '' ? {} : { StartAfter: last };
      const input = { Bucket, Prefix: root + prefix, MaxKeys: Math.min(left, PAGE_KEYS), ...from };
      const page = await call(`list ${prefix}`, 0, signal ? { signal } : {}, (budget) =>
        retrying.send(new ListObjectsV2Command(input), limits(budget)),
      );
      for (const item of page.Contents ?? []) {
        const name = item.Key ?? '';
        if (Buffer.compare(Buffer.from(name), Buffer.from(last)) <= 0) {
          throw new AppError('store_unsafe', `list ${prefix}: the server does not list in byte order (${name} after ${last})`);
        }
        last = name;
        const key = name.slice(root.length);
        if (!isKey(key)) continue; // not ours: a console's folder marker, another program's object
        yield toInfo(key, item.Size, item.ETag, item.LastModified);
        left -= 1;
      }
      if (page.IsTruncated !== true || page.Contents === undefined || page.Contents.length === 0) return;
    }
  }

  return {
    description: `s3://${Bucket}/${root}`.replace(/\/$/, ''),

    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
    async put(key, body, callOptions = {}) {
      assertPut(key);
      if (isFile(body) && body.sizeBytes > WHOLE_BYTES) return { etag: tagOf(await putInParts({ client: retrying, call, limits }, key, { Bucket, Key: root + key }, body, callOptions)) };
      const bytes = await wholeOf(body);
      return call(`put ${key}`, bytes.byteLength, callOptions, async (budget) => {
        const input = { Bucket, Key: root + key, Body: toBuffer(bytes), Metadata: digestOf(bytes) };
        const answer = await retrying.send(new PutObjectCommand(input), limits(budget, bytes.byteLength));
        return { etag: tagOf(answer.ETag) };
      });
    },

    async putIfAbsent(key, body, callOptions = {}) {
      assertPutIfAbsent(key, body);
      const etag = await call(`putIfAbsent ${key}`, body.byteLength, callOptions, (budget) =>
        putOn(key, body, { IfNoneMatch: '*' }, budget),
      );
      return etag === null ? { created: false } : { created: true, etag };
    },

    async compareAndSwap(key, body, expected, callOptions = {}) {
      assertCompareAndSwap(key, body);
      const etag = await call(`compareAndSwap ${key}`, body.byteLength, callOptions, (budget) =>
        putOn(key, body, { IfMatch: withoutQuotes(expected) }, budget),
      );
      return etag === null ? { swapped: false } : { swapped: true, etag };
    },

    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    async get(key, getOptions: GetOptions = {}) {
      assertKey(key);
      const range = toRangeHeader(getOptions.range);
      return call(`get ${key}`, 0, getOptions, async (budget): Promise<StoredObject | null> => {
        try {
          for (let reads = 1; ; reads++) {
            const answer = await retrying.send(new GetObjectCommand({ Bucket, Key: root + key, ...range }), limits(budget));
            budget.extend(transferMs(answer.ContentLength ?? 0));
            const body = toBuffer((await answer.Body?.transformToByteArray()) ?? new Uint8Array());
            const digest = answer.Metadata?.[DIGEST];
            if (digest === undefined || getOptions.range !== undefined || sha256Of(body) === digest) return { body, etag: tagOf(answer.ETag) };
            if (reads === READS) throw new AppError('checkpoint_corrupt', `${key} is not what was written`);
          }
        } catch (error) {
          if (isMissing(error)) return null;
          throw error;
        }
      });
    },

    async head(key, callOptions = {}) {
      assertKey(key);
      return call(`head ${key}`, 0, callOptions, async (budget) => (await look(key, budget))?.info ?? null);
    },

    list,

    async *keys(prefix, options) {
      for await (const { key } of list(prefix, options)) yield key;
    },

    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
    async delete(key, callOptions = {}) {
      assertKey(key);
      await call(`delete ${key}`, 0, callOptions, (budget) =>
        retrying.send(new DeleteObjectCommand({ Bucket, Key: root + key }), limits(budget)),
      );
    },

    // What S3 shows is there to stay.
    async confirm(key, { signal } = {}) {
      assertKey(key);
      if (signal?.aborted === true) throw new AppError('store_unavailable', `confirm ${key} was given up`);
    },

    // Each request stands for itself.
    brokenBy: () => null,

    async close() {
      retrying.destroy();
      once.destroy();
    },
  };
}

const digestOf = (body: Uint8Array): Record<string, string> => (body.byteLength > LONG_BODY_BYTES ? {} : { [DIGEST]: sha256Of(body) });

function parsePrefix(prefix: string): string {
  if (prefix === '') return '';
  if (!isKey(prefix)) throw new AppError('invalid_location', `not a folder for a store: ${JSON.stringify(prefix)}`);
  return `${prefix}/`;
}

function toRangeHeader(range: GetOptions['range']): { Range?: string } {
  if (range === undefined) return {};
  assertRange(range);
  return { Range: `bytes=${range.start}-${range.end}` };
}

function toInfo(key: string, size: number | undefined, etag: string | undefined, modified: Date | undefined): ObjectInfo {
  return { key, sizeBytes: size ?? 0, etag: tagOf(etag), modifiedAt: modified ?? new Date(0) };
}

function tagOf(etag: string | undefined): string {
  return withoutQuotes(etag ?? '');
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
