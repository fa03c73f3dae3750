// What a schedule started, by the marks that its jobs and sweeps leave in the store before they are acknowledged: they stay when the
// records of fires, and the schedule itself, have gone.
import type { RunReference } from '../contract/schedule.js';
import { AppError } from '../errors.js';
import { scheduledPrefix } from '../jobs/names.js';
import type { Store } from '../store/index.js';
import { readSchedule } from './record.js';

const KINDS = { job: 'job_', sweep: 'swp_' } as const;

/**
 * Ids, newest first; of jobs also the trials of its sweeps. One may never have been acknowledged.
 * @throws AppError not_found (nothing was started under this id, and there is no such schedule), store_unavailable
 */
export async function startedBy(store: Pick<Store, 'get' | 'keys'>, schedule: string, kind: RunReference['kind']): Promise<string[]> {
  const prefix = scheduledPrefix(schedule);
  const ids: string[] = [];
  for await (const key of store.keys(`${prefix}${KINDS[kind]}`)) ids.push(key.slice(prefix.length));
  if (ids.length === 0 && !(await readSchedule({ store }, schedule))) throw new AppError('not_found', `no schedule ${schedule}`, { param: 'schedule' });
  return ids.reverse();
}
