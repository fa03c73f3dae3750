// Every key that a job has in the store. Pure.
//
//   keys/<sha256>                              which idempotency key created which job
//   open/<id>.<gen>                            wants attention: what the reconciler lists
//   closed/<yyyy-mm-dd>/<id>.<gen>             terminal summary
//   jobs/<id>/job.json                         the resolved spec; its existence is the acknowledgement
//   jobs/<id>/HEAD                             the one place that decides
//   jobs/<id>/commits/<seq>-<fence>-<attempt>.json   immutable manifests
//   jobs/<id>/data/<fence>/<sha256>            immutable blobs, written only under the writer's own fence
//   jobs/<id>/attempts/<n>.json, <n>.end.json  opened by its claimant; closed by it or by the next one
//   jobs/<id>/logs/<first>-<last>.jsonl      what workers said about it; nothing depends on it
//   jobs/<id>/results/<gen>.json               derived from HEAD when it turns terminal
import { createHash } from 'node:crypto';

/** Zero-padded so that byte order is number order. */
const padded = (n: number) => String(n).padStart(10, '0');

export const OPEN_PREFIX = 'open/';
export const CLOSED_PREFIX = 'closed/';
export const jobFolder = (job: string) => `jobs/${job}/`;
export const jobKey = (job: string) => `jobs/${job}/job.json`;
export const headKey = (job: string) => `jobs/${job}/HEAD`;
export const openKey = (job: string, gen: number) => `${OPEN_PREFIX}${job}.${gen}`;
export const closedKey = (day: string, job: string, gen: number) => `${CLOSED_PREFIX}${day}/${job}.${gen}`;
export const commitsPrefix = (job: string) => `jobs/${job}/commits/`;
export const manifestKey = (job: string, seq: number, fence: number, attempt: string) => `${commitsPrefix(job)}${padded(seq)}-${padded(fence)}-${attempt}.json`;
export const blobKey = (job: string, fence: number, sha256: string) => `jobs/${job}/data/${padded(fence)}/${sha256}`;
export const attemptKey = (job: string, number: number) => `jobs/${job}/attempts/${padded(number)}.json`;
export const attemptEndKey = (job: string, number: number) => `jobs/${job}/attempts/${padded(number)}.end.json`;
export const attemptsPrefix = (job: string) => `jobs/${job}/attempts/`;
export const logsPrefix = (job: string) => `jobs/${job}/logs/`;
export const logPageKey = (job: string, first: number, last: number) => `${logsPrefix(job)}${padded(first)}-${padded(last)}.jsonl`;
export const resultKey = (job: string, gen: number) => `jobs/${job}/results/${gen}.json`;

/** The first and last line of a page of a job's log; null if the key is of none. */
export function parseLogPageKey(key: string): { first: number; last: number } | null {
  const match = /\/logs\/(\d+)-(\d+)\.jsonl$/.exec(key);
  return match ? { first: Number(match[1]), last: Number(match[2]) } : null;
}

/**
 * Keys are scoped to who sent them, and hashed so that any text is a safe name of fixed length.
 * @param after what the key stood for until it was too old: the name of its successor
 */
export function idempotencyKey(principal: string, key: string, after: { id: string; created_at: string } | null = null): string {
  return `keys/${createHash('sha256').update(JSON.stringify([principal, key, ...(after ? [after.id, after.created_at] : [])])).digest('hex')}`;
}

/** The job and gen of an `open/…` or `closed/…/…` key; null if it is none. */
export function parseMarkerKey(key: string): { job: string; gen: number } | null {
  const match = /^(?:open|closed\/\d{4}-\d{2}-\d{2})\/(job_[0-9a-z]{26})\.(\d+)$/.exec(key);
  return match ? { job: match[1]!, gen: Number(match[2]) } : null;
}
