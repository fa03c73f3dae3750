// Telling a job what to do: `pause`, `resume`, `cancel`, `kill`, `retry`, `preempt`.
import type { Job } from '../../../lib/contract/job.js';
import type { Verb } from '../../client.js';
import { type AddCommands, command, usageError } from '../context.js';

const VERBS: readonly [Verb, string][] = [
  ['pause', 'commit and stop; resume goes on where it was'],
  ['resume', 'go on with a paused job'],
  ['cancel', 'commit and end'],
  ['kill', 'end at once, without a commit'],
  ['retry', 'start a failed, cancelled or expired job again from its last checkpoint'],
];

export const addVerbs: AddCommands = (program, context) => {
  const say = (job: Job, json: boolean | undefined): void => context.out(json ? JSON.stringify(job) : `${job.id} ${job.status}`);
  for (const [verb, description] of VERBS) {
    command(program, `${verb} <id>`, description).action(async (id: string, { json }: { json?: boolean }) => say(await context.client().verb(id, verb), json));
  }
  command(program, 'preempt <id>', 'treat a running job as if its machine were taken away')
    .option('--grace <seconds>', 'what the notice leaves; 0 kills the trainer where it stands')
    .action(async (id: string, { json, grace }: { json?: boolean; grace?: string }) => {
      if (grace !== undefined && !/^\d+(\.\d+)?$/.test(grace)) throw usageError('--grace', `takes seconds, got ${JSON.stringify(grace)}`);
      say(await context.client().preempt(id, grace === undefined ? undefined : Number(grace)), json);
    });
};
