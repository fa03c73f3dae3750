// The one place where a failure becomes an answer: `{error: {type, code, message, param, request_id, details}}`. What goes wrong
// inside (5xx) is told to the log and, in general words only, to the client.
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { ErrorBody } from '../lib/contract/calls.js';
import { AppError, ERROR_CODES, type ErrorCode } from '../lib/errors.js';

/** What a client is told of codes whose own message may name hosts, paths or keys. */
const GENERAL_WORDS: Partial<Record<ErrorCode, string>> = {
  store_unavailable: 'the store does not answer; the request may or may not have taken effect',
  store_full: 'the store is full',
  store_unsafe: 'the store cannot be used',
  queue_unavailable: 'Redis does not answer, and this call needs it',
  checkpoint_corrupt: 'the stored data of this job is damaged',
};
const RETRY_AFTER_SECONDS = 2;

export function errorBody(error: AppError, requestId: string): ErrorBody {
  const { type, status } = ERROR_CODES[error.code];
  const inside = status >= 500;
  return {
    error: {
      type,
      code: error.code,
      message: inside ? (GENERAL_WORDS[error.code] ?? 'something went wrong inside; the log has it under this request_id') : error.message,
      param: inside ? null : error.param,
      request_id: requestId,
      details: inside ? [] : error.details.map(({ param, message }) => ({ param, message })),
    },
  };
}

export function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const known = toAppError(error);
  const { status } = known;
  if (status >= 500) request.log.error({ err: known.cause ?? known, code: known.code }, 'request failed');
  const retryAfter = known.retryAfterSeconds ?? (status === 503 ? RETRY_AFTER_SECONDS : null);
  if (retryAfter !== null) reply.header('retry-after', String(Math.ceil(retryAfter)));
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  void reply.code(status).type('application/json; charset=utf-8').send(errorBody(known, request.id));
}

/** Fastify's own errors in our words; anything unknown is a bug of ours. */
function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const { code, statusCode, message } = error as Partial<FastifyError>;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new AppError('payload_too_large', 'the body is larger than 1 MiB');
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return new AppError('unsupported_media_type', 'a body has to be application/json', { param: 'Content-Type' });
  if (code === 'FST_ERR_HANDLER_TIMEOUT') return new AppError('store_unavailable', 'no answer in time');
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return new AppError('invalid_request', message ?? 'the request cannot be read');
  return new AppError('internal_error', 'internal error', { cause: error });
}
