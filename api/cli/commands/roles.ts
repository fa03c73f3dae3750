// `pawl api`, `pawl worker`, `pawl controller`: one role in the foreground, for a fleet. Configured by the environment.
import { type AddCommands, withExamples } from '../context.js';
import { runRole } from '../processes.js';

export const addRoles: AddCommands = (program, { env }) => {
  const api = program
    .command('api')
    .description('run the API server')
    .action(async () => {
      process.exitCode = await runRole('api', [], env);
    });
  const worker = program
    .command('worker')
    .description('run a worker: takes jobs until it is told to go (SIGTERM: commits, then exits)')
    .option('--exit-when-idle <seconds>', 'exit after so long without a job')
    .option('--slots <n>', 'jobs at a time (default: 1)')
    .option('--devices <gpus>', 'a job at a time on each of these GPUs: all, or numbers such as 0,1')
    .action(async (options: { exitWhenIdle?: string; slots?: string; devices?: string }) => {
      const given = Object.entries({ '--exit-when-idle': options.exitWhenIdle, '--slots': options.slots, '--devices': options.devices });
      process.exitCode = await runRole('worker', given.flatMap(([name, value]) => (value === undefined ? [] : [name, value])), env);
    });
  const controller = program
    .command('controller')
    .description('run a controller: puts back what dead workers left, refills an emptied Redis')
    .action(async () => {
      process.exitCode = await runRole('controller', [], env);
    });

  const shared = 'All machines of a fleet have the same REDIS_URL and PAWL_STORE. Logs are lines of JSON on standard error.';
  withExamples(api, ['REDIS_URL=redis://10.0.0.5:6379 PAWL_STORE=s3://bucket/prefix pawl api'], `${shared} Other addresses than loopback (PAWL_HOST) need PAWL_API_TOKEN.`);
  withExamples(worker, ['REDIS_URL=redis://10.0.0.5:6379 PAWL_STORE=s3://bucket/prefix pawl worker', 'pawl worker --exit-when-idle 600', 'pawl worker --devices all'], shared);
  withExamples(controller, ['REDIS_URL=redis://10.0.0.5:6379 PAWL_STORE=s3://bucket/prefix pawl controller'], shared);
};
