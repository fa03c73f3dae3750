// The one error class and the one table of codes. Every expected failure anywhere is an AppError whose code
// decides its HTTP status and whether a retry can help; anything else is a bug and becomes `internal_error`.

/** What a code means at the edge: HTTP status, the API's error type, and whether trying again can help. */
export const ERROR_CODES = {
  // requests
  invalid_request: { type: 'invalid_request', status: 400, retryable: false },
  invalid_spec: { type: 'invalid_request', status: 400, retryable: false },
  invalid_cursor: { type: 'invalid_request', status: 400, retryable: false },
  not_supported: { type: 'invalid_request', status: 400, retryable: false },
  invalid_location: { type: 'invalid_request', status: 400, retryable: false },
  unauthorized: { type: 'unauthorized', status: 401, retryable: false },
  forbidden_origin: { type: 'unauthorized', status: 403, retryable: false },
  not_found: { type: 'not_found', status: 404, retryable: false },
  method_not_allowed: { type: 'invalid_request', status: 405, retryable: false },
  invalid_state: { type: 'invalid_state', status: 409, retryable: false },
  not_ready: { type: 'not_ready', status: 409, retryable: true },
  idempotency_key_reused: { type: 'invalid_state', status: 409, retryable: false },
  idempotency_in_progress: { type: 'invalid_state', status: 409, retryable: true },
  payload_too_large: { type: 'payload_too_large', status: 413, retryable: false },
  range_not_satisfiable: { type: 'invalid_request', status: 416, retryable: false },
  unsupported_media_type: { type: 'invalid_request', status: 415, retryable: false },
  rate_limited: { type: 'rate_limited', status: 429, retryable: true },
  queue_full: { type: 'queue_full', status: 429, retryable: true },
  internal_error: { type: 'internal', status: 500, retryable: false },
  // infrastructure
  store_unavailable: { type: 'unavailable', status: 503, retryable: true },
  store_full: { type: 'unavailable', status: 503, retryable: true },
  store_unsafe: { type: 'unavailable', status: 503, retryable: false },
  queue_unavailable: { type: 'unavailable', status: 503, retryable: true },
  // a job's own failures (status_reason)
  invalid_data: { type: 'invalid_request', status: 400, retryable: false },
  data_missing: { type: 'invalid_request', status: 400, retryable: true },
  data_changed: { type: 'invalid_request', status: 400, retryable: false },
  checkpoint_corrupt: { type: 'internal', status: 500, retryable: false },
  nonfinite_loss: { type: 'internal', status: 500, retryable: false },
  oom: { type: 'internal', status: 500, retryable: true },
  engine_unavailable: { type: 'unavailable', status: 503, retryable: true },
  trainer_crashed: { type: 'internal', status: 500, retryable: true },
  // ownership
  fenced: { type: 'invalid_state', status: 409, retryable: false },
} as const satisfies Record<string, { type: string; status: number; retryable: boolean }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** One problem of a request: the field in dotted form (`training.optimizer.lr`, `model.layers.2.units`), and what is wrong with it. */
export interface Problem {
  param: string;
  message: string;
  code?: ErrorCode;
}

export interface AppErrorOptions {
  param?: string;
  details?: readonly Problem[];
  cause?: unknown;
  retryAfterSeconds?: number;
}

export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly param: string | null;
  readonly details: readonly Problem[];
  readonly retryAfterSeconds: number | null;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.param = options.param ?? null;
    this.details = options.details ?? [];
    this.retryAfterSeconds = options.retryAfterSeconds ?? null;
  }

  get status(): number {
    return ERROR_CODES[this.code].status;
  }

  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }
}

export function isAppError(error: unknown, code?: ErrorCode): error is AppError {
  return error instanceof AppError && (code === undefined || error.code === code);
}

/** The message of anything that was thrown, for logs and for wrapping. */
export function messageOf(error: unknown): string {
  return withoutArguments(error instanceof Error ? error.message : String(error));
}

/** Redis repeats the arguments of a command that it does not know, and of AUTH and HELLO they are a password. */
export const withoutArguments = (text: string): string => text.replaceAll(/, with args beginning with:[^\n]*/g, '');

/** The system's word for a disk, a quota or a file size limit that is used up. */
export const isDiskFull = (error: unknown): boolean => ['ENOSPC', 'EDQUOT', 'EFBIG'].includes((error as NodeJS.ErrnoException | null)?.code ?? '');

/** How processes end. `failed`: also a job that failed or was cancelled; `unreachable`: Redis, the store or the API is away. */
export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3, timedOut: 124 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export function exitCodeOf(error: unknown): ExitCode {
  if (!isAppError(error)) return EXIT.failed;
  if (error.code === 'store_unavailable' || error.code === 'queue_unavailable') return EXIT.unreachable;
  return error.status < 500 ? EXIT.usage : EXIT.failed;
}
