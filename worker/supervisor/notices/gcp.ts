// Google Compute Engine Spot and preemptible machines: `instance/preempted` of the metadata server, which answers when it changes.
// https://cloud.google.com/compute/docs/instances/create-use-spot#detect-preemption
// https://cloud.google.com/compute/docs/metadata/querying-metadata#waitforchange
import { askMetadata, isBusy, UnexpectedAnswer } from './metadata.js';
import type { NoticeSource } from './source.js';

export interface GcpOptions {
  /** http://metadata.google.internal but in tests. */
  baseUrl: string;
  timeoutMs?: number;
  /** How long one look waits for a change. */
  waitSeconds?: number;
  pauseMs?: number;
}

const HEADERS = { 'metadata-flavor': 'Google' };
/** From the soft-off signal until the machine is switched off. */
const GRACE_MS = 30_000;

export function makeGcpSource({ baseUrl, timeoutMs = 2_000, waitSeconds = 60, pauseMs = 200 }: GcpOptions): NoticeSource {
  const url = `${baseUrl}/computeMetadata/v1/instance/preempted`;
  /** Null: nobody has answered yet, and the next look does not wait. */
  let etag: string | null = null;
  return {
    name: 'gcp',
    pauseMs,
    detect: async (signal) => {
      const asked = `${baseUrl}/computeMetadata/v1/instance/id`;
      const answer = await askMetadata(asked, { headers: HEADERS, timeoutMs, signal });
      if (isBusy(answer.status)) throw new UnexpectedAnswer(asked, answer);
      return answer.status === 200 && answer.headers.get('metadata-flavor') === 'Google';
    },
    look: async (signal) => {
      const waiting = etag === null ? '' : `?wait_for_change=true&timeout_sec=${waitSeconds}&last_etag=${encodeURIComponent(etag)}`;
      const answer = await askMetadata(`${url}${waiting}`, { headers: HEADERS, timeoutMs: timeoutMs + (etag === null ? 0 : waitSeconds * 1_000), signal }).catch((error: unknown) => {
        etag = null;
        throw error;
      });
      const preempted = answer.text.trim();
      if (answer.status !== 200 || (preempted !== 'TRUE' && preempted !== 'FALSE')) {
        etag = null;
        throw new UnexpectedAnswer(url, answer);
      }
      etag = answer.headers.get('etag');
      return preempted === 'TRUE' ? [{ kind: 'notice', message: 'GCP: the machine is preempted', leftMs: GRACE_MS }] : [];
    },
  };
}
