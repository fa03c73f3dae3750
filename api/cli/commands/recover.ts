// `pawl recover`: looks at every open job in the store once and gives Redis the tickets it lacks.
import type { Command } from 'commander';
import { runRole } from '../processes.js';

export function addRecover(program: Command): void {
  program
    .command('recover')
    .description('rebuild Redis from the store: every open job gets its ticket back (a running controller does so by itself)')
    .action(async () => {
      process.exitCode = await runRole('controller', ['--once'], process.env);
    });
}
