// Telling a job what to do: `pause`, `resume`, `cancel`, `kill`, `retry`, `preempt`.
import type { Job } from '../../../lib/contract/job.js';
import type { Verb } from '../../client.js';
import { type AddCommands, command, usageError, withExamples } from '../context.js';

const VERBS: readonly [verb: Verb, description: string, ...examples: string[]][] = [
  ['pause', 'commit and stop; resume goes on where it was', 'pawl pause JOB'],
  ['resume', 'go on with a paused job', 'pawl resume JOB && pawl watch JOB'],
  ['cancel', 'commit and end', 'pawl cancel JOB'],
  ['kill', 'end at once, without a commit', 'pawl kill JOB'],
  ['retry', 'start a failed, cancelled or expired job again from its last checkpoint', 'pawl retry JOB && pawl wait JOB'],
];

export const addVerbs: AddCommands = (program, context) => {
  const say = (job: Job, json: boolean | undefined): void => context.out(json ? JSON.stringify(job) : `${job.id} ${job.status}`);
  for (const [verb, description, ...examples] of VERBS) {
    withExamples(command(program, `${verb} <id>`, description), examples).action(async (id: string, { json }: { json?: boolean }) => say(await context.client().verb(id, verb), json));
  }
  const preempt = command(program, 'preempt <id>', 'treat a running job as if its machine were taken away')
    .option('--grace <seconds>', 'what the notice leaves: training goes on as long as a last save fits; 0 kills the trainer where it stands (default: 30)')
    .action(async (id: string, { json, grace }: { json?: boolean; grace?: string }) => {
      if (grace !== undefined && !/^\d+(\.\d+)?$/.test(grace)) throw usageError('--grace', `takes seconds, got ${JSON.stringify(grace)}`);
      say(await context.client().preempt(id, grace === undefined ? undefined : Number(grace)), json);
    });
  withExamples(preempt, ['pawl preempt JOB', 'pawl preempt JOB --grace 0'], 'The job goes on by itself, on any worker.');
};
