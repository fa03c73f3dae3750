#!/usr/bin/env node
// The `pawl` command: which commands there are, and all that touches the process: environment, streams, signals, exit code.
import { text } from 'node:stream/consumers';
import { Command, CommanderError } from 'commander';
import { type Config, readConfig } from '../../lib/config.js';
import { VERSION } from '../../lib/version.js';
import { makeClient } from '../client.js';
import { addChaos } from './commands/chaos.js';
import { addDoctor } from './commands/doctor.js';
import { addExport } from './commands/export.js';
import { addJobs } from './commands/jobs.js';
import { addLogs } from './commands/logs.js';
import { addRecover } from './commands/recover.js';
import { addRoles } from './commands/roles.js';
import { addSubmit } from './commands/submit.js';
import { addUp } from './commands/up.js';
import { addVerbs } from './commands/verbs.js';
import { addVerify } from './commands/verify.js';
import { addWatch } from './commands/watch.js';
import { addWorkers } from './commands/workers.js';
import { type AddCommands, type CliContext, EXIT, explain } from './context.js';

/** In the order in which --help lists them. */
const FAMILIES: readonly AddCommands[] = [addUp, addSubmit, addJobs, addWatch, addLogs, addVerbs, addChaos, addExport, addVerify, addWorkers, addRoles, addRecover, addDoctor];

let config: Config | null = null;
const context: CliContext = {
  env: process.env,
  config: () => (config ??= readConfig(process.env, process.cwd())),
  client: () => {
    const { url, apiTokens } = context.config();
    return makeClient({ url, ...(apiTokens[0] === undefined ? {} : { token: apiTokens[0] }) });
  },
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
  terminal: process.stdout.isTTY ? { columns: () => process.stdout.columns || 80, write: (text) => process.stdout.write(text) } : null,
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

const program = new Command('pawl').description('train CNNs on machines that may vanish').version(VERSION).showHelpAfterError('(pawl --help lists the commands)').exitOverride();
for (const addCommands of FAMILIES) addCommands(program, context);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has said what is wrong; asking for help is not wrong.
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  } else {
    const { lines, code } = explain(error);
    for (const line of lines) context.err(`error: ${line}`);
    process.exitCode = code;
  }
}
