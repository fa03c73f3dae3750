// Structured logs on standard error, one line of JSON each (or plain lines for people). Never a secret: what may hold one is redacted,
// and of an error there is only what it says.
import { pino, type Logger } from 'pino';
import { messageOf, withoutArguments } from './errors.js';

export type Log = Logger;

export interface LogOptions {
  /** pino's levels; `silent` for none. */
  level: string;
  /** `supervisor`, `api`, … */
  role: string;
}

export function makeLog({ level, role }: LogOptions): Log {
  return pino(
    {
      level,
      base: { role, pid: process.pid },
      serializers: { err: sayError },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: ['token', 'authorization', 'secret', 'password', '*.token', '*.authorization', '*.secret', '*.secretKey', '*.password', 'headers.authorization'], censor: '[redacted]' },
    },
    pino.destination({ fd: 2, sync: true }),
  );
}

/** Libraries hang on an error what it was about: ioredis the command with its arguments, HELLO's password among them; others requests and answers. */
function sayError(error: unknown): unknown {
  if (!(error instanceof Error)) return messageOf(error);
  const { type, message, stack } = pino.stdSerializers.err(error);
  const { code } = error as NodeJS.ErrnoException;
  const several = error instanceof AggregateError ? { errors: error.errors.map(sayError) } : {};
  return { type, message: withoutArguments(message), code, stack: withoutArguments(stack), ...several };
}

export const silentLog: Log = pino({ level: 'silent' });
