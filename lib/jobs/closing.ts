// What follows when HEAD is terminal: the derived result, the closed marker, the open marker gone, garbage collected.
// Idempotent; done by whoever ended the job, and again by the controller where that one died half-way.
import type { JobListItem } from '../contract/job.js';
import type { Head, JobRecord } from '../contract/records.js';
import { isAppError } from '../errors.js';
import type { Store } from '../store/index.js';
import { begunCourse, makeManifests, progressAt } from './committed-progress.js';
import { segmentsOf, segmentsWithin } from './history.js';
import { isTerminal } from './lifecycle.js';
import { closedKey, headKey, jobFolder, openKey, resultKey } from './names.js';
import { toJson } from './record.js';
import { loadManifest } from './restore.js';
import { jobListItem } from './view.js';

/** The summary that `closed/` holds. */
async function closedSummary(store: Store, record: JobRecord, head: Head, now: Date): Promise<JobListItem> {
  const manifest = await makeManifests(store).latest(record.id, head);
  const progress = progressAt(manifest?.state.cursor ?? null, begunCourse(record, head), record.spec.training.batch_size);
  return jobListItem(record, head, { signs: 'silent', progress }, now);
}

/** Writes what a terminal HEAD implies. The open marker goes last: until then the reconciler comes back to it. */
export async function closeJob(store: Store, record: JobRecord, head: Head, now: Date): Promise<void> {
  if (!isTerminal(head.state) || head.finished_at === null) return;
  await store.confirm(headKey(record.id)); // as a rule somebody else's writing, of which all that follows is made
  await store.put(resultKey(record.id, head.gen), toJson({ job: record.id, gen: head.gen, state: head.state, reason: head.reason, finished_at: head.finished_at, result: head.result, error: head.error }));
  await store.put(closedKey(head.finished_at.slice(0, 10), record.id, head.gen), toJson(await closedSummary(store, record, head, now)));
  await collectGarbage(store, record.id, head);
  await store.delete(openKey(record.id, head.gen));
}

/**
 * Deletes blobs that no retained commit needs and that were written under a fence that can commit no more: older than
 * HEAD's, or HEAD's own once the job is terminal. Blobs of quarantined commits stay while the job is open.
 */
export async function collectGarbage(store: Store, job: string, head: Head): Promise<number> {
  const needed = new Set<string>();
  for (const commit of head.retained) {
    for (const blob of commit.blobs) needed.add(blob.key);
    try {
      const manifest = await loadManifest(store, job, commit);
      for await (const { key } of segmentsWithin(store, segmentsOf(manifest), (segment) => needed.has(segment.key))) needed.add(key);
    } catch (error) {
      // A store that is away says nothing about it: whoever closes the job comes again, and the marker is still there.
      if (!isAppError(error, 'checkpoint_corrupt')) throw error;
      // A manifest or an index that is damaged protects everything: nothing is deleted on a guess.
      return 0;
    }
  }
  if (head.quarantined.length > 0 && !isTerminal(head.state)) return 0;
  const prefix = `${jobFolder(job)}data/`;
  let deleted = 0;
  for await (const info of store.list(prefix)) {
    const fence = Number(info.key.slice(prefix.length).split('/')[0]);
    const over = isTerminal(head.state) ? fence <= head.fence : fence < head.fence;
    if (!over || needed.has(info.key)) continue;
    await store.delete(info.key);
    deleted++;
  }
  return deleted;
}
