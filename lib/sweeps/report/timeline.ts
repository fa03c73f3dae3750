// When trials ran: from their beginnings to their ends, in seconds since the first of them began. Pure.
import type { Trial, TrialStatus } from '../../contract/sweep-views.js';

export interface Stay {
  trial: number;
  status: TrialStatus;
  fromSeconds: number;
  toSeconds: number;
}

/** @param until for those that are not over: now, or the end of the sweep. Trials of which nobody wrote down an end are left out. */
export function timelineOf(trials: readonly Trial[], until: Date): Stay[] {
  const first = trials.reduce((least, { started_at }) => Math.min(least, Date.parse(started_at)), Infinity);
  return trials.flatMap(({ number, status, started_at, ended_at }) => {
    const isOpen = status === 'running' || status === 'waiting' || status === 'paused';
    if (ended_at === null && !isOpen) return [];
    const start = Date.parse(started_at);
    const end = Math.max(start, ended_at === null ? until.getTime() : Date.parse(ended_at));
    return [{ trial: number, status, fromSeconds: (start - first) / 1_000, toSeconds: (end - first) / 1_000 }];
  });
}
