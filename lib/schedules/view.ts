// A schedule as users see it. Pure.
import type { Schedule, ScheduleHead, ScheduleListItem } from '../contract/schedule.js';
import { firesAfter } from './next.js';

const NEXT_FIRES = 10;

export const scheduleView = (id: string, head: ScheduleHead, now: Date): Schedule => ({ ...scheduleListItem(id, head, now), spec: head.spec });

export function scheduleListItem(id: string, head: ScheduleHead, now: Date): ScheduleListItem {
  const { spec, status, note, created_at, updated_at, recent, runs, buffered, requested, counts } = head;
  return {
    id, object: 'schedule', name: spec.name, status, note, cron: spec.cron, timezone: spec.timezone, created_at, updated_at,
    next_fires: status === 'active' ? firesAfter(spec, new Date(Math.max(now.getTime(), Date.parse(head.last_nominal))), NEXT_FIRES) : [],
    last_fires: recent,
    running: runs.map(({ run }) => run),
    buffered: [...buffered, ...requested].map(({ nominal_time }) => nominal_time),
    counts,
  };
}
