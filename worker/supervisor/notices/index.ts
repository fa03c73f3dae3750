// Which clouds' notices a worker listens to, and the listening: each source is asked again and again until the worker goes, its
// failures are of no consequence, and what was announced is told once and not taken back.
import { pause } from '../../../lib/clock.js';
import { messageOf } from '../../../lib/errors.js';
import { makeAwsSource } from './aws.js';
import { makeAzureSource } from './azure.js';
import { makeGcpSource } from './gcp.js';
import { isBusy, UnexpectedAnswer } from './metadata.js';
import type { Announced, NoticeSource } from './source.js';

export interface NoticesOptions {
  /** Found out by asking, or named. Kubernetes' notice is the signal, which every worker hears. */
  wanted: 'auto' | readonly string[];
  urls: { aws: string; gcp: string; azure: string };
  log: { debug(fields: object, message: string): void; info(fields: object, message: string): void };
  onAnnounced(announced: Announced): void;
  /** Between two questions who is there: DETECT_PAUSE_MS but in tests. */
  detectPauseMs?: number;
}

export interface Notices {
  /** Every source has been asked once, or `ms` are over. */
  firstLook(ms: number): Promise<void>;
  close(): void;
}

/** Whoever has not answered by the last of these is not there. */
const DETECT_MS = [1_000, 5_000, 15_000];
const DETECT_PAUSE_MS = 5_000;
/** After a look that failed. */
const FAILED_PAUSE_MS = 1_000;

export function sourcesOf({ wanted, urls }: Pick<NoticesOptions, 'wanted' | 'urls'>): NoticeSource[] {
  const all = [makeAwsSource({ baseUrl: urls.aws }), makeGcpSource({ baseUrl: urls.gcp }), makeAzureSource({ baseUrl: urls.azure })];
  return wanted === 'auto' ? all : all.filter(({ name }) => wanted.includes(name));
}

export function watchNotices(options: NoticesOptions, sources: readonly NoticeSource[] = sourcesOf(options)): Notices {
  const { wanted, log, onAnnounced, detectPauseMs = DETECT_PAUSE_MS } = options;
  const over = new AbortController();
  const { signal } = over;

  async function isThere(source: NoticeSource): Promise<boolean> {
    for (let silent = 0; silent < DETECT_MS.length && !signal.aborted; ) {
      try {
        return await source.detect(AbortSignal.any([signal, AbortSignal.timeout(DETECT_MS[silent]!)]));
      } catch (error) {
        // Somebody is there and cannot say now: asked again, however long it takes, for a notice that is not heard is lost work.
        if (!(error instanceof UnexpectedAnswer && isBusy(error.status))) silent += 1;
        log.debug({ source: source.name, message: messageOf(error) }, 'not known yet whether this is its machine');
      }
      await pause(detectPauseMs, signal);
    }
    return false;
  }

  async function listen(source: NoticeSource, looked: () => void): Promise<void> {
    if (wanted === 'auto' && !(await isThere(source))) return;
    const said = new Set<string>();
    log.info({ source: source.name }, 'listening for notices of this machine’s end');
    while (!signal.aborted) {
      let pauseMs = source.pauseMs;
      try {
        for (const announced of await source.look(signal)) {
          if (said.has(announced.message)) continue;
          said.add(announced.message);
          onAnnounced(announced);
        }
      } catch (error) {
        if (!signal.aborted) log.debug({ source: source.name, message: messageOf(error) }, 'no answer of the metadata service');
        pauseMs = Math.max(pauseMs, FAILED_PAUSE_MS);
      }
      looked();
      await pause(pauseMs, signal);
    }
  }

  /** Whether each was there, once it was asked or is not asked any more. */
  const first = Promise.all(sources.map((source) => new Promise<boolean>((resolve) => void listen(source, () => resolve(true)).then(() => resolve(false)))));
  void first.then((there) => {
    if (!there.includes(true) && !signal.aborted) log.info({ asked: sources.map(({ name }) => name) }, 'no metadata service is listened to: notices of this machine’s end come by signal only');
  });
  return {
    firstLook: async (ms) => {
      const late = new AbortController();
      await Promise.race([first, pause(ms, late.signal)]);
      late.abort();
    },
    close: () => over.abort(),
  };
}
