// `pawl recover`: looks at every open job in the store once and gives Redis the tickets it lacks.
import type { AddCommands } from '../context.js';
import { runRole } from '../processes.js';

export const addRecover: AddCommands = (program, { env }) => {
  program
    .command('recover')
    .description('rebuild Redis from the store: every open job gets its ticket back (a running controller does so by itself)')
    .action(async () => {
      process.exitCode = await runRole('controller', ['--once'], env);
    });
};
