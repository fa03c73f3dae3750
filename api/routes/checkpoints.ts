// A job's checkpoints, and weights as safetensors: streamed in pieces, with ranges, under their hash as ETag.
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { BlobRef } from '../../lib/contract/records.js';
import { AppError } from '../../lib/errors.js';
import { asJobId } from '../../lib/jobs/access.js';
import { makeHold } from '../../lib/jobs/holding.js';
import { readPieces, weightsOf } from '../../lib/jobs/weights.js';
import type { RouteDeps } from '../deps.js';
import { pageOf } from '../lists.js';
import { type ByteRange, parseRange } from '../ranges.js';
import { pageLimit, type PageQuery, type WeightsQuery } from '../requests.js';

type OfJob<Q = unknown> = FastifyRequest<{ Params: { id: string; checkpoint: string }; Querystring: Q }>;

export function makeCheckpointRoutes({ access, store, clock, log }: RouteDeps) {
  /** Sets what is said of the bytes, whether or not they follow. */
  async function settle(request: OfJob<WeightsQuery>, reply: FastifyReply): Promise<{ blob: BlobRef; range: ByteRange | null; unchanged: boolean }> {
    const id = asJobId(request.params.id);
    const { checkpoint, weights } = request.query;
    const head = await access.head(id);
    const blob = weightsOf(head, checkpoint ?? null, weights ?? null);
    const etag = `"${blob.sha256}"`;
    void reply.headers({ etag, 'accept-ranges': 'bytes', 'cache-control': 'private, no-cache' });
    if (listed(request.headers['if-none-match'], etag)) return { blob, range: null, unchanged: true };
    const condition = request.headers['if-range'];
    const range = condition === undefined || condition === etag ? parseRange(request.headers.range, blob.bytes) : null;
    if (range === 'unsatisfiable') {
      void reply.header('content-range', `bytes */${blob.bytes}`);
      throw new AppError('range_not_satisfiable', `the weights have ${blob.bytes} bytes`, { param: 'Range' });
    }
    const length = range === null ? blob.bytes : range.end - range.start + 1;
    void reply.headers({ 'content-type': 'application/octet-stream', 'content-length': String(length), 'content-disposition': `attachment; filename="${id}.safetensors"` });
    if (range !== null) void reply.code(206).header('content-range', `bytes ${range.start}-${range.end}/${blob.bytes}`);
    return { blob, range, unchanged: false };
  }

  return {
    list: async (request: OfJob<PageQuery>) => pageOf(await access.checkpoints(asJobId(request.params.id)), { after: request.query.after ?? null, limit: pageLimit(request.query) }),

    get: async (request: OfJob) => {
      const found = (await access.checkpoints(asJobId(request.params.id))).find(({ id }) => id === request.params.checkpoint);
      if (!found) throw new AppError('not_found', 'no such checkpoint is retained', { param: 'checkpoint' });
      return found;
    },

    weights: async (request: OfJob<WeightsQuery>, reply: FastifyReply) => {
      const { blob, range, unchanged } = await settle(request, reply);
      if (unchanged) return reply.code(304).send();
      if (request.method === 'HEAD') return reply.send();
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      const { start, end } = range ?? { start: 0, end: blob.bytes - 1 };
      const { checkpoint } = request.query;
      // A result's stays as long as its job.
      const hold = checkpoint === undefined ? null : makeHold({ store, clock, log }, asJobId(request.params.id), checkpoint);
      const pieces = readPieces(store, blob, start, end, { hold, signal: gone.signal });
      // What fails before the first byte can still be said in words.
      const first = await pieces.next();
      return reply.send(Readable.from(checked(first.done ? null : first.value, pieces, range === null ? blob : null)));
    },
  };
}

/** The pieces; of a whole file the last one is held back until all of them have the right hash. */
async function* checked(first: Buffer | null, rest: AsyncGenerator<Buffer>, whole: BlobRef | null): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  let bytes = 0;
  for (let piece: Buffer | null | undefined = first; piece; piece = (await rest.next()).value as Buffer | undefined) {
    hash.update(piece);
    bytes += piece.length;
    if (whole && bytes === whole.bytes && hash.digest('hex') !== whole.sha256) throw new AppError('checkpoint_corrupt', `${whole.key} does not match its sha256`);
    yield piece;
  }
}

function listed(header: string | undefined, etag: string): boolean {
  return header !== undefined && (header.trim() === '*' || header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag));
}
