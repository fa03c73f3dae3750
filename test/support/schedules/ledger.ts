// What has to be true of a schedule's history whatever happened to the processes that made it: each nominal time was seen to once,
// and each record, each run and HEAD tell the same.
import type { Fire, ScheduleHead } from '../../../lib/contract/schedule.js';
import { firesPrefix, scheduleKey } from '../../../lib/schedules/names.js';
import { fireTimes } from '../../../lib/schedules/next.js';
import type { Runs, WorldStore } from './world.js';

export async function readLedger(store: Pick<WorldStore, 'get' | 'keys'>, schedule: string): Promise<{ head: ScheduleHead; fires: Fire[] }> {
  const json = async <T>(key: string): Promise<T> => JSON.parse((await store.get(key))!.body.toString()) as T;
  const fires: Fire[] = [];
  for await (const key of store.keys(firesPrefix(schedule))) fires.push(await json<Fire>(key));
  return { head: await json<ScheduleHead>(scheduleKey(schedule)), fires };
}

/**
 * What is wrong; empty if nothing is.
 * @param untilMs up to when all nominal times have to be seen to, whatever HEAD says: the last look, or the pause, less the jitter
 */
export async function faultsOfLedger(store: Pick<WorldStore, 'get' | 'keys'>, runs: Runs, schedule: string, untilMs: number): Promise<string[]> {
  const { head, fires } = await readLedger(store, schedule);
  const wrong: string[] = [];
  const seen = new Map<number, number>();
  const see = (ms: number): void => void seen.set(ms, (seen.get(ms) ?? 0) + 1);
  for (const fire of fires) {
    if (fire.cause !== 'schedule') continue;
    if (fire.missed === null) see(Date.parse(fire.nominal_time));
    else {
      let count = 0;
      for (const ms of fireTimes(head.spec, Date.parse(fire.missed.from) - 1)) {
        if (ms > Date.parse(fire.nominal_time)) break;
        see(ms);
        count++;
      }
      if (count !== fire.missed.count) wrong.push(`${fire.nominal_time} stands for ${count} times, not ${fire.missed.count}`);
    }
  }
  for (const waiting of [...head.buffered, ...head.requested]) if (waiting.cause === 'schedule') see(Date.parse(waiting.nominal_time));
  for (const ms of fireTimes(head.spec, Date.parse(head.created_at))) {
    if (ms > Math.max(Date.parse(head.last_nominal), untilMs)) break;
    if (seen.get(ms) !== 1) wrong.push(`${new Date(ms).toISOString()} was seen to ${seen.get(ms) ?? 0} times`);
    seen.delete(ms);
  }
  for (const ms of seen.keys()) wrong.push(`${new Date(ms).toISOString()} is no time of this schedule`);

  const started = fires.filter(({ outcome }) => outcome === 'started');
  for (const { run, nominal_time } of started) if (runs.all.get(run!.id)?.schedule.nominal_time !== nominal_time) wrong.push(`${run!.id} was not started for ${nominal_time}`);
  const known = new Set(started.map(({ run }) => run!.id));
  for (const id of runs.all.keys()) if (!known.has(id)) wrong.push(`${id} was started, and no fire says so`);
  const count = (outcome: Fire['outcome']): number => fires.filter((fire) => fire.outcome === outcome).reduce((sum, { missed }) => sum + (missed?.count ?? 1), 0);
  for (const outcome of ['started', 'skipped', 'missed', 'failed'] as const) if (head.counts[outcome] !== count(outcome)) wrong.push(`HEAD counts ${head.counts[outcome]} ${outcome}, and there are ${count(outcome)}`);
  if (head.unrecorded.length > 0 || head.runs.some(({ state }) => state === 'starting')) wrong.push('something is not carried out');
  return wrong;
}
