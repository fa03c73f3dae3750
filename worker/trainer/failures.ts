// What an exception means to the supervisor: one of the closed list of codes.
import { isAppError, isDiskFull, messageOf, type ErrorCode } from '../../lib/errors.js';

/** TensorFlow's RESOURCE_EXHAUSTED, however the binding words it, and V8's own. */
const OUT_OF_MEMORY = /TF_Status: 8\b|OOM when allocating|RESOURCE_EXHAUSTED|Array buffer allocation failed/;

export function failureOf(error: unknown): { code: ErrorCode; message: string; param: string | null } {
  const message = messageOf(error);
  // what a checkpoint's error names is in the checkpoint, not in the spec
  if (isAppError(error)) return { code: error.code, message, param: error.code === 'checkpoint_corrupt' ? null : error.param };
  if (OUT_OF_MEMORY.test(message)) return { code: 'oom', message, param: null };
  if (isDiskFull(error)) return { code: 'store_full', message: `the snapshot could not be written: ${message}`, param: null };
  return { code: 'trainer_crashed', message, param: null };
}

/** Peak resident memory of this process so far. */
export const peakMemoryMib = (): number => Math.ceil(process.resourceUsage().maxRSS / 1024);
