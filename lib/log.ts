// Structured logs on standard error, one line of JSON each (or plain lines for people). Never a secret: what may hold one is redacted.
import { pino, type Logger } from 'pino';

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
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: ['token', 'authorization', 'secret', 'password', '*.token', '*.authorization', '*.secret', '*.secretKey', '*.password', 'headers.authorization'], censor: '[redacted]' },
    },
    pino.destination({ fd: 2, sync: true }),
  );
}

export const silentLog: Log = pino({ level: 'silent' });
