// A job's log, what workers said about it, from its two places: pages in the store, which an attempt writes now and then and when
// it ends, and the live lines in Redis, which have the rest. Nothing decides by it, so it is in no manifest.
import type { LogLine } from '../contract/rows.js';
import { decodeLines, encodeLines } from '../checkpoints/segments.js';
import type { Journal } from '../queue/index.js';
import type { Store } from '../store/index.js';
import { liveEntriesAfter } from './live-entries.js';
import { logPageKey, logsPrefix, parseLogPageKey } from './names.js';

/** Lines of one attempt have ids from fence × stride on, so that no two attempts' lines can have one id. */
export const LOG_ID_STRIDE = 100_000;

export interface LogDeps {
  store: Pick<Store, 'get' | 'keys'>;
  logs: Pick<Journal<LogLine>, 'read'>;
}

/** Writes lines, in the order of their ids, as one page. The same lines again are the same page. @throws AppError store_… */
export async function writeLogPage(store: Pick<Store, 'put'>, job: string, lines: readonly LogLine[], signal: AbortSignal): Promise<void> {
  const [first, last] = [lines[0], lines.at(-1)];
  if (first && last) await store.put(logPageKey(job, first.id, last.id), encodeLines(lines), { signal });
}

/** Lines after an id (-1: all), at most `limit`, in order. */
export async function logLinesAfter({ store, logs }: LogDeps, job: string, after: number, limit: number): Promise<LogLine[]> {
  // Live lines first: one that is put into a page meanwhile is found in one of the two.
  const live = await liveEntriesAfter(logs, job, after, limit);
  const lines = new Map(live.map((line) => [line.id, line]));
  for (const { key, first } of await pagesAfter(store, job, after)) {
    // Pages can overlap: one that got no answer is written again with what was said since.
    if ([...lines.keys()].filter((id) => id < first).length >= limit) break;
    const page = await store.get(key);
    for (const line of page ? decodeLines<LogLine>(page.body) : []) if (line.id > after) lines.set(line.id, line);
  }
  return [...lines.values()].sort((a, b) => a.id - b.id).slice(0, limit);
}

async function pagesAfter(store: Pick<Store, 'keys'>, job: string, after: number): Promise<{ key: string; first: number }[]> {
  const pages: { key: string; first: number }[] = [];
  for await (const key of store.keys(logsPrefix(job))) {
    const range = parseLogPageKey(key);
    if (range && range.last > after) pages.push({ key, first: range.first });
  }
  return pages.sort((a, b) => a.first - b.first);
}
