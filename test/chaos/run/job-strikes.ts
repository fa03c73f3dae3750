// Strikes that a user can make: notices, pause, cancel. What is acknowledged is held against HEAD from then on.
import { ApiError } from '../../../api/client.js';
import { readHead } from '../../../lib/jobs/head.js';
import { isTerminal } from '../../../lib/jobs/lifecycle.js';
import { slotOf } from './schedule.js';
import { type Missed, type Run, sleep, type Struck, type Tracked } from './state.js';
import { insist, say } from './verbs.js';

/** Too short to train on; and long enough. */
const NOTICE_GRACE_SECONDS = [2, 30] as const;
const CANCELLED_WITHIN_MS = 120_000;

export async function strikeJob(run: Run, struck: Struck): Promise<Missed> {
  const job = isNotice(struck) ? someOwned(run, struck) : run.jobs.findLast(({ slot, over }) => slot === slotOf(struck) && !over);
  if (!job) return isNotice(struck) ? 'no job has an owner' : 'the slot has no job';
  struck.job = job.id;
  const { kind } = struck;
  if (kind === 'notice' || kind === 'notice-kill') {
    const { head } = job;
    if (head?.owner) job.recovering.push({ struck, fence: head.fence, seq: head.seq, sameFence: false });
    const missed = await asked(() => run.system.client.preempt(job.id, kind === 'notice' ? NOTICE_GRACE_SECONDS[Math.floor(struck.chance * 2)]! : 0));
    if (missed !== null) job.recovering = job.recovering.filter((one) => one.struck !== struck);
    return missed;
  }
  if (job.busy) return 'it is paused or being cancelled already';
  job.busy = true;
  try {
    return await (kind === 'pause' ? pauseAndResume(run, job, struck) : cancelAndLeave(run, job, struck));
  } finally {
    job.verb = null;
    job.busy = false;
  }
}

const isNotice = ({ kind }: Struck): boolean => kind === 'notice' || kind === 'notice-kill';

/** One of those that are being worked on: a notice to another one is no strike. */
function someOwned(run: Run, { target }: Struck): Tracked | undefined {
  const owned = run.jobs.filter(({ head, over }) => !over && head?.owner);
  return owned[target % Math.max(1, owned.length)];
}

/** HEAD as it stands when a verb was acknowledged, from which on it has to hold. */
async function holdTo(run: Run, job: Tracked, verb: 'pause' | 'cancel'): Promise<void> {
  const head = await readHead({ store: run.system.store }, job.id).then((view) => view.head, () => null);
  if (!head || job.loose) return;
  if (head.want.verb !== verb && !isTerminal(head.state)) run.violate('ledger', job, [`${verb} was acknowledged, and HEAD wants ${head.want.verb}`]);
  job.verb = { verb, gen: head.gen, seq: head.seq, keepsBest: job.recipe.spec.checkpoint?.keep_best !== undefined };
}

async function pauseAndResume(run: Run, job: Tracked, { lastsMs }: Struck): Promise<Missed> {
  const said = await say(run, job, 'pause');
  if (said === 'acknowledged') await holdTo(run, job, 'pause');
  if (said !== 'refused') await sleep(lastsMs, run.signal);
  job.verb = null;
  if (said !== 'refused') await insist(run, job, 'resume');
  return said === 'acknowledged' ? null : said === 'refused' ? 'refused' : 'no answer';
}

/** Whoever sees the job through finds it cancelled, and retries. */
async function cancelAndLeave(run: Run, job: Tracked, { lastsMs }: Struck): Promise<Missed> {
  const wasCancelled = job.cancelled;
  job.cancelled = true;
  const said = await say(run, job, 'cancel');
  if (said === 'refused') job.cancelled = wasCancelled;
  if (said !== 'acknowledged') return said === 'refused' ? 'refused' : 'no answer';
  await holdTo(run, job, 'cancel');
  for (const until = Date.now() + CANCELLED_WITHIN_MS; job.head && !isTerminal(job.head.state) && !run.signal.aborted; await sleep(100, run.signal)) {
    if (Date.now() > until) run.violate('ledger', job, [`cancel was acknowledged and is not carried out within ${CANCELLED_WITHIN_MS / 1_000} s`]);
  }
  await sleep(lastsMs, run.signal);
  return null;
}

/** A call of the API that is made once. */
export async function asked(ask: () => Promise<unknown>): Promise<Missed> {
  try {
    await ask();
    return null;
  } catch (error) {
    if (error instanceof ApiError) return `${error.status} ${error.code}`;
    throw error;
  }
}
