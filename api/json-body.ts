// Request bodies as they were sent: JSON in UTF-8, nothing coerced, removed or renamed. Nesting is bounded here, because what
// looks at a value later goes down into it.
import { AppError } from '../lib/errors.js';

export const BODY_LIMIT_BYTES = 1 << 20;
/** Far deeper than anything the contract describes. */
const DEPTH_MAX = 64;

/** @throws AppError invalid_request */
export function parseJsonBody(bytes: Buffer): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new AppError('invalid_request', 'the body is not UTF-8');
  }
  if (text.trim() === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new AppError('invalid_request', `the body is not JSON: ${(error as Error).message}`);
  }
  if (isDeeper(value, DEPTH_MAX)) throw new AppError('invalid_request', `the body is nested more than ${DEPTH_MAX} levels deep`);
  return value;
}

/** Level by level, so that no depth is too much for it. */
function isDeeper(value: unknown, most: number): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; depth <= most; depth++) {
    level = level.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values<unknown>(item as Record<string, unknown>) : []));
    if (level.length === 0) return false;
  }
  return true;
}
