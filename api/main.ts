// Entry of an API process: reads the environment, opens the store, connects the queue (Redis may be away), listens, handles signals.
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../lib/clock.js';
import { type Config, ownFolders, readConfig, storeOptions } from '../lib/config.js';
import { AppError } from '../lib/errors.js';
import { makeLog } from '../lib/log.js';
import { checkAtStart, connectQueue } from '../lib/queue/index.js';
import { failToStart, onParentGone } from '../lib/start-up.js';
import { whenBroken } from '../lib/store/broken.js';
import { openDataPlaces, openStore } from '../lib/store/open.js';
import { probeStore } from '../lib/store/probe.js';
import { makeDecider } from '../lib/sweeps/decider.js';
import { VERSION } from '../lib/version.js';
import { assertSafeBinding } from './security.js';
import { buildServer } from './server.js';

const DEFAULT_REDIS = 'redis://127.0.0.1:6379';
/** Less than a caller waits for its answer: a store that hangs is 503 and no silence. */
const STORE_TIMEOUTS = { requestMs: 5_000, budgetMs: 10_000 };
/** Answers under way may end; downloads are cut. */
const CLOSING_MS = 5_000;

async function main(): Promise<void> {
  const config = readConfig(process.env, process.cwd());
  const log = makeLog({ level: config.logLevel, role: 'api' });
  const security = { tokens: config.apiTokens, corsOrigins: config.corsOrigins, host: config.host };
  assertSafeBinding(security);
  const options = storeOptions(config);
  const store = await openStore(config.store, { s3: { ...options.s3, timeouts: STORE_TIMEOUTS } });
  await probeStore(store);
  const queue = connectQueue({ url: config.redisUrl ?? DEFAULT_REDIS, prefix: config.queuePrefix, log });
  await checkAtStart(queue, log, failToStart);
  // a server of data that does not answer keeps no caller waiting: a worker will look again
  const places = await openDataPlaces({ roots: config.dataRoots, closed: ownFolders(config), buckets: config.dataBuckets, store: config.store, s3: { ...options.s3, timeouts: STORE_TIMEOUTS }, patienceMs: 0 });
  const decider = makeDecider(fileURLToPath(new URL('./sweep-thread.js', import.meta.url)));
  const app = buildServer({ store, queue, clock: systemClock, log, places, security, limits: { openJobs: config.maxOpenJobs, requestsPerMinute: config.rateLimit }, version: VERSION, decider });

  let leaving = false;
  const leave = (why: string): void => {
    if (leaving) return;
    leaving = true;
    log.info({ why }, 'leaving');
    setTimeout(() => process.exit(0), CLOSING_MS).unref();
    void app
      .close()
      .then(() => decider.close())
      .then(() => queue.close())
      .then(() => store.close())
      .then(() => places.buckets?.objects.close())
      .then(
        () => process.exit(0),
        (error: unknown) => {
          log.error({ err: error }, 'could not leave in order');
          process.exit(1);
        },
      );
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => leave(signal));
  onParentGone(() => leave('the parent is gone'));
  // Whoever looks after this process starts it again; by itself it says that it is not ready, and goes on answering what can be read.
  if (process.connected) {
    whenBroken(store, (why) => {
      log.error({ why }, 'this process can write no more, and goes');
      process.exit(1);
    });
  }

  await app.listen({ host: config.host, port: config.port }).catch((error: unknown) => {
    throw listenError(error, config);
  });
  const url = addressOf(app.server.address() as AddressInfo);
  log.info({ url, store: store.description }, 'API ready');
  process.send?.({ type: 'ready', url });
}

function listenError(error: unknown, { host, port }: Config): unknown {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return new AppError('invalid_request', `port ${port} of ${host} is taken: PAWL_PORT chooses another, 0 a free one`, { param: 'PAWL_PORT' });
    case 'EACCES':
      return new AppError('invalid_request', `port ${port} may not be used by this user: PAWL_PORT chooses another, above 1023`, { param: 'PAWL_PORT' });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new AppError('invalid_request', `${host} is no address of this machine (PAWL_HOST)`, { param: 'PAWL_HOST' });
    case undefined:
    default:
      return error;
  }
}

/** Where a client on this machine finds it: what listens everywhere listens on loopback too. */
function addressOf({ address, family, port }: AddressInfo): string {
  const everywhere = address === '0.0.0.0' || address === '::';
  const host = everywhere ? '127.0.0.1' : family === 'IPv6' ? `[${address}]` : address;
  return `http://${host}:${port}`;
}

main().catch(failToStart);
