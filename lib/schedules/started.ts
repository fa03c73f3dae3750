// What a schedule started, by a mark of each in the store, which stays when the records of fires, and the schedule itself, have gone. It is
// written before HEAD says that a run is `running`, and of a sweep's trial before its job is acknowledged.
import type { RunReference } from '../contract/schedule.js';
import { AppError } from '../errors.js';
import type { Store } from '../store/index.js';
import { startedKey, startedPrefix } from './names.js';
import { readSchedule } from './record.js';

const KINDS = { job: 'job_', sweep: 'swp_' } as const;

/** Marks a run, or a job of one. Repeating it changes nothing. @throws AppError store_unavailable */
export async function markStarted(store: Pick<Store, 'putIfAbsent'>, schedule: string, run: string): Promise<void> {
  await store.putIfAbsent(startedKey(schedule, run), Buffer.from('{}'));
}

/**
 * Ids, newest first; of jobs also the trials of its sweeps. One may never have been acknowledged.
 * @throws AppError not_found (nothing was started under this id, and there is no such schedule), store_unavailable
 */
export async function startedBy(store: Pick<Store, 'get' | 'keys'>, schedule: string, kind: RunReference['kind']): Promise<string[]> {
  const prefix = startedPrefix(schedule);
  const ids: string[] = [];
  for await (const key of store.keys(`${prefix}${KINDS[kind]}`)) ids.push(key.slice(prefix.length));
  if (ids.length === 0 && !(await readSchedule({ store }, schedule))) throw new AppError('not_found', `no schedule ${schedule}`, { param: 'schedule' });
  return ids.reverse();
}
