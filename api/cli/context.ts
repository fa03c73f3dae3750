// What every command is given: the client, where to write, and how it ended. Nothing else in the CLI touches the process.
import type { Command } from 'commander';
import { AppError } from '../../lib/errors.js';
import type { Config } from '../../lib/config.js';
import { ApiError, type Client } from '../client.js';
import type { Environment } from './processes.js';

export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3, timedOut: 124 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface CliContext {
  /** For processes that commands start. */
  env: Environment;
  /** Read on first use: `--help` works in any environment. */
  config(): Config;
  client(): Client;
  /** A line on standard output. */
  out(line: string): void;
  /** A line on standard error. */
  err(line: string): void;
  /** Standard output as a terminal; null if it is none. */
  terminal: Terminal | null;
  /** All of standard input. */
  readInput(): Promise<string>;
  /** Aborted by Ctrl-C, if anybody asks for it; without, Ctrl-C ends the process as usual. */
  onInterrupt(): AbortSignal;
  exit(code: ExitCode): void;
}

export interface Terminal {
  columns(): number;
  write(text: string): void;
}

/** A family of commands: one file in commands/. */
export type AddCommands = (program: Command, context: CliContext) => void;

/** Every command that speaks to the API has --json. */
export function command(program: Command, nameAndArguments: string, description: string): Command {
  return program.command(nameAndArguments).description(description).option('--json', 'print what the API says, as JSON');
}

/** One clear line for each problem, and the exit code that goes with it. */
export function explain(error: unknown): { lines: string[]; code: ExitCode } {
  if (error instanceof ApiError) {
    const request = error.status >= 500 && error.requestId !== null ? ` (${error.requestId})` : '';
    if (error.code === 'unreachable' || error.status === 503) return { lines: [`${error.message}${request}`], code: EXIT.unreachable };
    return { lines: problemLines(error), code: error.status >= 500 ? EXIT.failed : EXIT.usage };
  }
  if (error instanceof AppError) return { lines: problemLines(error), code: error.status >= 500 ? EXIT.failed : EXIT.usage };
  return { lines: [error instanceof Error ? error.message : String(error)], code: EXIT.failed };
}

function problemLines({ message, details }: Pick<ApiError, 'message' | 'details'>): string[] {
  return details.length === 0 ? [message] : details.map((problem) => (problem.param === '' ? problem.message : `${problem.param}: ${problem.message}`));
}

/** @throws AppError invalid_request */
export function usageError(param: string, message: string): AppError {
  return new AppError('invalid_request', `${param}: ${message}`, { param });
}
