// `pawl recover`: looks at every open job in the store once and gives Redis the tickets it lacks.
import { type AddCommands, withExamples } from '../context.js';
import { readRole } from '../processes.js';
import { plural } from '../render.js';

/** What was found of open jobs, in words; the controller counts by these names. */
const WORDS: Readonly<Record<string, string>> = {
  heard: 'with a living worker', owned: 'with a worker that is silent, perhaps not for good', ticketed: 'waiting, with a ticket now', paused: 'paused', closed: 'over', finished: 'ended now', superseded: 'retried since', unacknowledged: 'never acknowledged', failed: 'unreadable',
};

export const addRecover: AddCommands = (program, { env, out }) => {
  const recover = program
    .command('recover')
    .description('rebuild Redis from the store: every open job gets its ticket back (a running controller does so by itself)')
    .option('--json', 'print what was found as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const counts = JSON.parse(await readRole('controller', ['--once'], env)) as Record<string, number>;
      const parts = Object.entries(counts).filter(([, count]) => count > 0).map(([name, count]) => `${count} ${WORDS[name] ?? name}`);
      const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
      out(json ? JSON.stringify({ object: 'recovery', jobs: counts }) : [plural(total, 'open job'), ...(parts.length > 0 ? [parts.join(', ')] : [])].join(': '));
    });
  withExamples(recover, ['REDIS_URL=redis://10.0.0.5:6379 PAWL_STORE=s3://bucket/prefix pawl recover']);
};
