#!/usr/bin/env node
// The `pawl` command as a process: environment, streams, signals, exit code.
import { text } from 'node:stream/consumers';
import { CommanderError } from 'commander';
import { type Config, readConfig } from '../../lib/config.js';
import { AppError } from '../../lib/errors.js';
import { makeClient } from '../client.js';
import { type CliContext, EXIT, explain } from './context.js';
import { makeProgram } from './program.js';

let config: Config | null = null;
const context: CliContext = {
  env: process.env,
  json: process.argv.includes('--json'),
  config: () => (config ??= readConfig(process.env, process.cwd())),
  client: () => {
    const { url, apiTokens } = context.config();
    return makeClient({ url, ...(apiTokens[0] === undefined ? {} : { token: apiTokens[0] }) });
  },
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
  terminal: process.stdout.isTTY ? { columns: () => process.stdout.columns || 80, colour: process.stdout.hasColors(process.env), write: (text) => process.stdout.write(text) } : null,
  readInput: () => text(process.stdin),
  onInterrupt: () => {
    const interrupted = new AbortController();
    process.once('SIGINT', () => interrupted.abort());
    return interrupted.signal;
  },
  exit: (code) => {
    process.exitCode = code;
  },
};

// Whoever reads may stop reading (`pawl jobs | head`); that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed));
// Whom nobody hears any more, as on a closed terminal, still ends what it began.
process.stderr.on('error', () => undefined);

function fail(error: unknown): void {
  const { lines, error: facts, code } = explain(error);
  if (context.json) context.err(JSON.stringify({ error: facts }));
  else for (const line of lines) context.err(`error: ${line}`);
  process.exitCode = code;
}

try {
  await makeProgram(context).parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) fail(error);
  // asking for help is not wrong
  else if (error.exitCode === 0) process.exitCode = EXIT.ok;
  // Commander has said what is wrong
  else if (!context.json) process.exitCode = EXIT.usage;
  else fail(new AppError('invalid_request', error.code === 'commander.help' ? 'a command is missing' : error.message.replace(/^error: /, '')));
}
