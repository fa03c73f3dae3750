import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../lib/clock.js';
import type { LogLine } from '../../../lib/contract/rows.js';
import { AppError } from '../../../lib/errors.js';
import { LOG_ID_STRIDE, logLinesAfter } from '../../../lib/jobs/logs.js';
import { silentLog } from '../../../lib/log.js';
import { makeFileStore } from '../../../lib/store/file.js';
import type { Store } from '../../../lib/store/index.js';
import { makeAttemptLog } from '../../../worker/supervisor/attempt-log.js';
import { makeTempDir } from '../../support/temp.js';

const JOB = 'job_00000000000000000000000000';
const noRedis = { read: () => Promise.reject(new AppError('queue_unavailable', 'away')) };

async function makeLog(fence = 3, wrap: (store: Store) => Pick<Store, 'put'> = (store) => store) {
  const folder = await makeTempDir('log');
  const store = await makeFileStore({ root: folder.path });
  onTestFinished(async () => {
    await store.close();
    await folder.remove();
  });
  const live: LogLine[] = [];
  const log = makeAttemptLog(silentLog, { store: wrap(store), feed: { logs: (_stamp, lines) => void live.push(...lines) }, clock: systemClock }, { job: JOB, attempt: 'a', number: fence, worker: 'wrk_a', gen: 0, fence });
  return { log, live, kept: (after = -1, limit = 1_000) => logLinesAfter({ store, logs: noRedis }, JOB, after, limit) };
}

describe('what an attempt says', () => {
  it('goes live at once and into the store when it is kept, with its fields and causes in words', async () => {
    const { log, live, kept } = await makeLog();
    log.info({ engine: 'wasm', lanes: 2, checkpoint: null }, 'ready');
    log.debug({}, 'of interest to nobody');
    log.error({ err: new Error('no space') }, 'not committed');
    log.trainerSaid('2026: I tensorflow/core: a remark', true);
    log.trainerSaid('TypeError: x is not a function', false);
    expect(live.map(({ id, level, source, attempt, message }) => [id - 3 * LOG_ID_STRIDE, level, source, attempt, message])).toEqual([
      [1, 'info', 'supervisor', 3, 'ready (engine wasm, lanes 2)'],
      [2, 'error', 'supervisor', 3, 'not committed: no space'],
      [3, 'warn', 'trainer', 3, 'TypeError: x is not a function'],
    ]);
    expect(await kept()).toEqual([]);
    await log.keep();
    log.info({}, 'over');
    await log.keep();
    await log.keep();
    expect(await kept()).toEqual(live);
    expect(await kept(live[1]!.id, 1)).toEqual([live[2]]);
  });

  it('waits for a store that is away, and is written once', async () => {
    let tries = 0;
    const { log, live, kept } = await makeLog(1, (store) => ({ put: (key, body, options) => (++tries === 1 ? Promise.reject(new AppError('store_unavailable', 'away')) : store.put(key, body, options)) }));
    log.info({}, 'first');
    await log.keep();
    expect([tries, await kept()]).toEqual([1, []]);
    log.info({}, 'second');
    await log.keep();
    expect([tries, await kept()]).toEqual([2, live]);
  });

  it('keeps what is said while a page is being written for the next one', async () => {
    let during = (): void => undefined;
    const { log, live, kept } = await makeLog(1, (store) => ({ put: (key, body, options) => (during(), store.put(key, body, options)) }));
    during = () => {
      during = () => undefined;
      log.info({}, 'second');
    };
    log.info({}, 'first');
    await log.keep();
    expect(await kept()).toEqual(live.slice(0, 1));
    await log.keep();
    expect(await kept()).toEqual(live);
    expect(live).toHaveLength(2);
  });

  it('has an end, which it says', async () => {
    const { log, live } = await makeLog();
    for (let n = 0; n < LOG_ID_STRIDE + 10; n++) log.info({}, 'again');
    log.info({}, 'x'.repeat(5_000));
    expect(live).toHaveLength(LOG_ID_STRIDE - 1);
    expect(live.at(-1)!.message).toMatch(/the rest is left out$/);
    expect(live.at(-1)!.id).toBeLessThan(4 * LOG_ID_STRIDE);
    const other = await makeLog();
    other.log.info({}, 'x'.repeat(5_000));
    expect(other.live[0]!.message).toHaveLength(2_000);
  });
});
