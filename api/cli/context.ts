// What every command is given: the client, where to write, and how it ended. Nothing else in the CLI touches the process.
import type { Command } from 'commander';
import { AppError, ERROR_CODES, EXIT, type ExitCode, exitCodeOf, messageOf } from '../../lib/errors.js';
import type { Config } from '../../lib/config.js';
import { ApiError, type Client } from '../client.js';
import type { Environment } from './processes.js';

export { EXIT } from '../../lib/errors.js';

export interface CliContext {
  /** For processes that commands start. */
  env: Environment;
  /** Whether --json was given: errors are JSON too. */
  json: boolean;
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
  /** Whether it has colours, and nobody wants to be without. */
  colour: boolean;
  write(text: string): void;
}

/** A family of commands: one file in commands/. */
export type AddCommands = (program: Command, context: CliContext) => void;

/** Every command that speaks to the API has --json. */
export function command(program: Command, nameAndArguments: string, description: string): Command {
  return program.command(nameAndArguments).description(description).option('--json', 'print what the API says, as JSON; errors too');
}

/** What `--help` ends with: real command lines, and what else there is to know. */
export function withExamples(made: Command, examples: readonly string[], more?: string): Command {
  const title = examples.length === 1 ? 'Example:' : 'Examples:';
  return made.addHelpText('after', ['', title, ...examples.map((line) => `  ${line}`), ...(more === undefined ? [] : ['', more])].join('\n'));
}

export interface Explanation {
  /** One clear line for each problem. */
  lines: string[];
  /** The same for programs, as the API has it. */
  error: { type: string; code: string; message: string; param: string | null; request_id: string | null; details: readonly { param: string; message: string }[] };
  code: ExitCode;
}

export function explain(error: unknown): Explanation {
  if (error instanceof ApiError) {
    const { type, code, message, param, requestId, details, status } = error;
    const facts = { type, code, message, param, request_id: requestId, details };
    const request = status >= 500 && requestId !== null ? ` (${requestId})` : '';
    if (code === 'unreachable') return { lines: [`${message} (\`pawl up\` starts Pawl on this machine; PAWL_URL says where else it is)`], error: facts, code: EXIT.unreachable };
    if (code === 'unauthorized') return { lines: [`${message} (the token is taken from PAWL_API_TOKEN)`], error: facts, code: EXIT.usage };
    if (status === 503) return { lines: [`${message}${request}`], error: facts, code: EXIT.unreachable };
    return { lines: problemLines(error), error: facts, code: status >= 500 ? EXIT.failed : EXIT.usage };
  }
  if (error instanceof AppError) {
    const { code, message, param, details } = error;
    return { lines: problemLines(error), error: { type: ERROR_CODES[code].type, code, message, param, request_id: null, details: details.map((each) => ({ param: each.param, message: each.message })) }, code: exitCodeOf(error) };
  }
  const message = messageOf(error);
  return { lines: [message], error: { type: 'internal', code: 'internal_error', message, param: null, request_id: null, details: [] }, code: EXIT.failed };
}

function problemLines({ message, details }: Pick<ApiError, 'message' | 'details'>): string[] {
  return details.length === 0 ? [message] : details.map((problem) => (problem.param === '' ? problem.message : `${problem.param}: ${problem.message}`));
}

/** @throws AppError invalid_request */
export function limitOf(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw usageError('--limit', `takes a number, got ${JSON.stringify(text)}`);
  return Number(text);
}

/** @throws AppError invalid_request */
export function usageError(param: string, message: string): AppError {
  return new AppError('invalid_request', `${param}: ${message}`, { param });
}

/** @throws AppError invalid_request */
export function wholeOf(option: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw usageError(option, `takes a whole number, got ${JSON.stringify(text)}`);
  return Number(text);
}
