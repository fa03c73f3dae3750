// Turns what went wrong inside a file into an AppError that names where, and the field of the spec that it was named in.
import { AppError, isAppError, messageOf } from '../errors.js';

export interface Named {
  /** For people: a file, an object's address, an array in it. */
  readonly name: string;
  /** The field of the spec; null where nobody asks for it. */
  readonly param: string | null;
}

/** The same error, with the field that it is about, where it names none. */
export function withParam(error: unknown, param: string | null): unknown {
  if (!isAppError(error) || error.param !== null || param === null) return error;
  return new AppError(error.code, error.message, { param, details: error.details, cause: error });
}

/** AppError `invalid_data` for a plain Error, `data_missing` for one of the system's, `oom` for memory that is not there. */
export async function naming<T>({ name, param }: Named, run: () => T | Promise<T>): Promise<T> {
  const as = (code: 'invalid_data' | 'data_missing' | 'oom', message: string, cause: unknown) => new AppError(code, `${name}: ${message}`, { cause, ...(param === null ? {} : { param }) });
  try {
    return await run();
  } catch (error) {
    if (isAppError(error)) throw withParam(error, param);
    if (error instanceof RangeError && /allocation|invalid (typed )?array length/i.test(error.message)) throw as('oom', 'there is not enough memory for it', error);
    const { syscall, code } = error as NodeJS.ErrnoException;
    throw syscall === undefined ? as('invalid_data', messageOf(error), error) : as('data_missing', `it cannot be read (${code})`, error);
  }
}
