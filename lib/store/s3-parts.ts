// Files that are too large for one request: sent in parts, of which the server makes one object at the end.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
//
// Until the last request nothing is there, and it names the parts that this call has sent: so an object is whole or it is not
// there, as with a single PUT. What is given up is aborted; of a process that is killed, parts stay with the server, whose own
// rules clear them away (AbortIncompleteMultipartUpload).
import { AbortMultipartUploadCommand, CompleteMultipartUploadCommand, CreateMultipartUploadCommand, UploadPartCommand, type S3Client } from '@aws-sdk/client-s3';
import { AppError } from '../errors.js';
import { piecesOf, WHOLE_BYTES } from './body.js';
import type { Budget } from './budget.js';
import type { CallOptions, FileBody } from './index.js';

const PARTS_MAX = 10_000;

export interface PartsClient {
  client: S3Client;
  /** One request under a budget of its own. */
  call<T>(what: string, bytes: number, options: CallOptions, run: (budget: Budget) => Promise<T>): Promise<T>;
  limits(budget: Budget, bytes?: number): { abortSignal: AbortSignal; requestTimeout: number };
}

/** The tag of the object. @param to where it goes, with the folder of the store. Errors of `call` */
export async function putInParts({ client, call, limits }: PartsClient, key: string, to: { Bucket: string; Key: string }, body: FileBody, options: CallOptions): Promise<string | undefined> {
  const what = (step: string): string => `put ${key} (${step})`;
  const { UploadId } = await call(what('begin'), 0, options, (budget) => client.send(new CreateMultipartUploadCommand(to), limits(budget)));
  if (UploadId === undefined) throw new AppError('store_unavailable', `${what('begin')}: the server gave no id`);
  try {
    const parts: { PartNumber: number; ETag: string | undefined }[] = [];
    for await (const piece of piecesOf(body, Math.max(WHOLE_BYTES, Math.ceil(body.sizeBytes / PARTS_MAX)))) {
      const PartNumber = parts.length + 1;
      const Body = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
      const { ETag } = await call(what(`part ${PartNumber}`), piece.byteLength, options, (budget) => client.send(new UploadPartCommand({ ...to, UploadId, PartNumber, Body }), limits(budget, piece.byteLength)));
      parts.push({ PartNumber, ETag });
    }
    // Servers may take long to put the parts together.
    const { ETag } = await call(what('end'), body.sizeBytes, options, (budget) => client.send(new CompleteMultipartUploadCommand({ ...to, UploadId, MultipartUpload: { Parts: parts } }), limits(budget, body.sizeBytes)));
    return ETag;
  } catch (error) {
    await call(what('abort'), 0, {}, (budget) => client.send(new AbortMultipartUploadCommand({ ...to, UploadId }), limits(budget))).catch(() => undefined);
    throw error;
  }
}
