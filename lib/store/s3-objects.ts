// Objects that a spec names as data, read from S3. It can send nothing but GET: what writes is the store's driver, which
// knows its own bucket only.
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { setTimeout as delay } from 'node:timers/promises';
import { addressOf, type DataObjects, type ObjectPart } from '../data/objects.js';
import { AppError } from '../errors.js';
import { withBudget } from './budget.js';
import { withoutQuotes } from './keys.js';
import { makeS3Client, type S3ClientOptions, timeoutsOf } from './s3-client.js';
import { isRefusal, isThrottled, toDataError } from './s3-errors.js';

export interface S3ObjectsOptions extends S3ClientOptions {
  /** How long a server that does not answer, or breaks off, is asked again. */
  patienceMs: number;
}

const ATTEMPTS = 3;
const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 5_000;

export function makeS3Objects(options: S3ObjectsOptions): DataObjects {
  const { patienceMs } = options;
  const timeouts = timeoutsOf(options);
  const client = makeS3Client(options, ATTEMPTS);

  // https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
  async function get(Bucket: string, Key: string, startBytes: number, endBytes: number, etag: string | null, signal: AbortSignal | undefined): Promise<ObjectPart> {
    const transferMs = ((endBytes - startBytes) / timeouts.minBytesPerSecond) * 1000;
    return withBudget(addressOf({ bucket: Bucket, key: Key }), timeouts.budgetMs + transferMs, signal, async (budget) => {
      const input = { Bucket, Key, Range: `bytes=${startBytes}-${endBytes - 1}`, ...(etag === null ? {} : { IfMatch: etag }) };
      const answer = await client.send(new GetObjectCommand(input), { abortSignal: budget.signal, requestTimeout: Math.ceil(timeouts.requestMs + transferMs) });
      const bytes = (await answer.Body?.transformToByteArray()) ?? new Uint8Array();
      return partOf(answer, bytes);
    });
  }

  return {
    async read(object, startBytes, endBytes, { etag, signal }) {
      const address = addressOf(object);
      const until = performance.now() + patienceMs;
      for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(MAX_PAUSE_MS, 2 * pauseMs)) {
        try {
          const part = await get(object.bucket, object.key, startBytes, endBytes, etag, signal);
          // a server may ignore the condition, or the range
          if (part.etag === '') throw new AppError('data_missing', `${address}: its server gives no ETag, so that nothing would tell a change while it is read`);
          if (etag !== null && part.etag !== etag) throw new AppError('data_changed', `${address} was replaced while it was read`);
          const wanted = Math.min(endBytes, part.sizeBytes) - startBytes;
          if (part.bytes.length !== wanted) throw new AppError('data_missing', `${address}: its server gave ${part.bytes.length} bytes where ${wanted} were asked for`);
          return part;
        } catch (error) {
          const failure = toDataError(address, error);
          const final = error === failure || (isRefusal(error) && !isThrottled(error)) || signal?.aborted === true;
          if (final || performance.now() + pauseMs > until) throw failure;
          await delay(pauseMs, undefined, { signal }).catch(() => {
            throw failure;
          });
        }
      }
    },
    async close() {
      client.destroy();
    },
  };
}

/** The whole size is in `Content-Range: bytes 0-99/1234`; a server that gives all of an object may leave it out. */
function partOf(answer: { ETag?: string | undefined; ContentRange?: string | undefined }, bytes: Uint8Array): ObjectPart {
  const whole = /\/(\d+)$/.exec(answer.ContentRange ?? '')?.[1];
  return { bytes, etag: withoutQuotes(answer.ETag ?? ''), sizeBytes: whole === undefined ? bytes.length : Number(whole) };
}
