// Writes on a condition that are told apart afterwards: won, refused, or nobody knows.
//
// A conditional write is sent once: after a retry, 412 could mean "your own first try won". It carries a random token as
// metadata, and unless it plainly succeeds, a HEAD looks for the token. Found: the write won, though its answer was lost
// or a gateway sent it twice. Not found: a 412 is a refusal; anything else is `store_unavailable`, for the write may land
// yet, or have landed and been replaced.
//
// Only where the server says that it has too much to do is it sent again, under the same token. After a 429 that is as good as
// the first time. A 503 a gateway may say of what is done nevertheless: from then on a 412 is no refusal, unless the token is found.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '../errors.js';
import type { Budget } from './budget.js';
import { withoutQuotes } from './keys.js';
import { isConditionFailed, isMissing, isRefusal, isThrottled } from './s3-errors.js';

export type Condition = { IfNoneMatch: '*' } | { IfMatch: string };

/** What a look at an object has found. */
interface Found {
  info: { etag: string };
  token: string | undefined;
}

export interface ConditionalClient {
  /** One that sends each request once. */
  client: S3Client;
  look(budget: Budget): Promise<Found | null>;
  limits(budget: Budget, bytes: number): { abortSignal: AbortSignal; requestTimeout: number };
}

export const TOKEN = 'pawl-write';
/**
 * A server that refuses before it has read a long body closes the connection, and the 412 can be lost in the reset.
 * Above this size a HEAD goes first, so that a condition that plainly fails has a plain answer.
 */
export const LONG_BODY_BYTES = 1024 * 1024;
/** Of a write that the server has no time for. */
const TRIES = 8;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 1_000;

/** The tag of the written object, or null if the condition did not hold. @throws what the SDK does; AppError store_unavailable */
export async function putIf(
  { client, look, limits }: ConditionalClient,
  to: { Bucket: string; Key: string },
  { body, metadata, condition }: { body: Buffer; metadata: Record<string, string>; condition: Condition },
  budget: Budget,
): Promise<string | null> {
  if (body.byteLength > LONG_BODY_BYTES && !holds(condition, await look(budget))) return null;
  const token = randomUUID();
  const input = { ...to, Body: body, Metadata: { [TOKEN]: token, ...metadata }, ...condition };
  /** An earlier try may have landed, or land yet. */
  let isOpen = false;
  for (let tries = 1, pauseMs = FIRST_PAUSE_MS; ; tries++, pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return withoutQuotes((await client.send(new PutObjectCommand(input), limits(budget, body.byteLength))).ETag ?? '');
    } catch (error) {
      if ('IfMatch' in condition && isMissing(error) && !isOpen) return null;
      const isRefused = isConditionFailed(error);
      const isUndone = isRefusal(error) && !isRefused;
      const isTriedAgain = isThrottled(error) && tries < TRIES;
      if (budget.signal.aborted || (isUndone && !isTriedAgain)) throw error;
      if (!isUndone) {
        const found = await look(budget);
        if (found?.token === token) return await ownTag(found.info.etag);
        if (isRefused && !isOpen) return null;
        if (!isTriedAgain) throw error;
        isOpen = true;
      }
      await delay(pauseMs, undefined, { signal: budget.signal });
    }
  }

  /** A server may read the token before the tag. Only a tag that the token still goes with afterwards is surely its own. */
  async function ownTag(etag: string): Promise<string> {
    const again = await look(budget);
    if (again?.token === token && again.info.etag === etag) return etag;
    throw new AppError('store_unavailable', `${to.Key} was written, and replaced since`);
  }
}

function holds(condition: Condition, found: Found | null): boolean {
  return 'IfMatch' in condition ? found?.info.etag === condition.IfMatch : found === null;
}
