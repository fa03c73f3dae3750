// The `pawl` command line: which commands there are and how they are listed. What they touch is in their context.
import { Command } from 'commander';
import { VERSION } from '../../lib/version.js';
import { addChaos } from './commands/chaos.js';
import { addDoctor } from './commands/doctor.js';
import { addExport } from './commands/export.js';
import { addJobs } from './commands/jobs.js';
import { addLogs } from './commands/logs.js';
import { addRecover } from './commands/recover.js';
import { addRoles } from './commands/roles.js';
import { addSchedules } from './commands/schedules.js';
import { addSubmit } from './commands/submit.js';
import { addSweeps } from './commands/sweeps.js';
import { addUp } from './commands/up.js';
import { addVerbs } from './commands/verbs.js';
import { addVerify } from './commands/verify.js';
import { addWatch } from './commands/watch.js';
import { addWorkers } from './commands/workers.js';
import { type AddCommands, type CliContext, withExamples } from './context.js';

/** In the order in which --help lists them. */
const FAMILIES: readonly [heading: string, families: readonly AddCommands[]][] = [
  ['This machine:', [addUp, addDoctor]],
  ['Jobs:', [addSubmit, addJobs, addWatch, addLogs, addVerbs, addChaos, addExport, addVerify]],
  ['Sweeps:', [addSweeps]],
  ['Schedules:', [addSchedules]],
  ['Workers and the queue:', [addWorkers]],
  ['A fleet:', [addRoles, addRecover]],
];

/** Commands throw CommanderError where the command line is wrong, and wherever help was printed. */
export function makeProgram(context: CliContext): Command {
  const program = new Command('pawl').description('train CNNs on machines that may vanish').version(VERSION).showHelpAfterError('(pawl --help lists the commands)').exitOverride();
  // commands take this over when they are added
  if (context.json) program.configureOutput({ outputError: () => undefined, writeErr: () => undefined });
  for (const [heading, families] of FAMILIES) {
    program.commandsGroup(heading);
    for (const addCommands of families) addCommands(program, context);
  }
  withExamples(
    program,
    ['pawl up', 'pawl submit docs/examples/digits.json --watch', 'pawl help submit'],
    'In a checkout: npm run -s pawl -- COMMAND. Commands about jobs speak to the API at PAWL_URL (http://127.0.0.1:8787), with PAWL_API_TOKEN where it asks for one.\nExit codes: 0 ok · 1 the job failed or was cancelled · 2 usage, or a spec that is refused · 3 not reachable · 124 timed out.',
  );
  return program;
}
