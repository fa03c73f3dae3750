// The status that users see: what HEAD and the owner's signs of life add up to. Stored nowhere; pure.
import type { JobStatus } from '../contract/job.js';
import type { Head } from '../contract/records.js';

export const OWNER_PHASES = ['starting', 'running', 'preempting'] as const;
export type OwnerPhase = (typeof OWNER_PHASES)[number];

/** What Redis knows of the owner: its phase, silence, or nothing because Redis is away. */
export type OwnerSigns = OwnerPhase | 'silent' | 'unknown';

/** The status users see. `signs` is only asked about when HEAD has an owner. */
export function statusOf(head: Head, signs: OwnerSigns, startAfter: string | null, now: Date): JobStatus {
  if (head.state !== 'open' && head.state !== 'paused') return head.state;
  const verb = head.want.verb;
  if (!head.owner) {
    if (verb === 'cancel' || verb === 'kill') return 'cancelled';
    if (verb === 'pause') return 'paused';
    return head.started_at === null && startAfter !== null && now.getTime() < Date.parse(startAfter) ? 'scheduled' : 'queued';
  }
  if (verb === 'cancel' || verb === 'kill') return 'cancelling';
  if (signs === 'silent') return verb === 'pause' ? 'paused' : 'recovering';
  if (verb === 'pause') return 'pausing';
  return signs === 'unknown' ? 'running' : signs;
}
