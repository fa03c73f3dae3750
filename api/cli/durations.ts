// Durations as options of commands: seconds, or 30s, 10m, 6h, 1d.
import { toSeconds } from '../../lib/jobs/spec/durations.js';
import { usageError } from './context.js';

/** @throws AppError invalid_request that names the option */
export function secondsOf(option: string, text: string): number {
  if (!/^\d+(\.\d+)?[smhd]?$/.test(text)) throw usageError(option, `takes seconds, or a duration such as 30s, 10m, 6h, 1d, got ${JSON.stringify(text)}`);
  return toSeconds(/\d$/.test(text) ? Number(text) : text);
}
