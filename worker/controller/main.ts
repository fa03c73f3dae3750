// Entry of a controller process: reads the environment, wires, handles signals. `controller --once` makes one pass over every
// open job and prints what it found: how an emptied Redis is refilled by hand.
import { parseArgs } from 'node:util';
import { systemClock } from '../../lib/clock.js';
import { ownFolders, readConfig, storeOptions } from '../../lib/config.js';
import { AppError } from '../../lib/errors.js';
import { freshUlid } from '../../lib/fresh-id.js';
import { admitSpec } from '../../lib/jobs/admission.js';
import { makeJobRoom } from '../../lib/jobs/room.js';
import type { ResolvedSpec } from '../../lib/jobs/spec/resolve.js';
import { makeLog } from '../../lib/log.js';
import { checkAtStart, connectQueue } from '../../lib/queue/index.js';
import { failToStart, onParentGone } from '../../lib/start-up.js';
import { admitSweep, type Series } from '../../lib/sweeps/admission.js';
import { makeClockWatch } from '../../lib/store/clock-watch.js';
import { whenBroken } from '../../lib/store/broken.js';
import { openDataPlaces, openStore } from '../../lib/store/open.js';
import { probeStore } from '../../lib/store/probe.js';
import { makeController } from './controller.js';
import { makeScheduleDriver } from './schedules.js';
import { makeSweepDriver } from './sweeps.js';

/** Longer than an owner may be silent before it counts as dead. */
const OWNER_PATIENCE_MS = 12_000;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { once: { type: 'boolean', default: false } } });
  const config = readConfig(process.env, process.cwd());
  const log = makeLog({ level: config.logLevel, role: 'controller' });
  if (config.redisUrl === null) throw new AppError('invalid_request', 'REDIS_URL is not set: a controller needs the queue (or use `pawl up`)', { param: 'REDIS_URL' });
  const store = await openStore(config.store, storeOptions(config));
  await probeStore(store);
  const queue = connectQueue({ url: config.redisUrl, prefix: config.queuePrefix, log });
  await checkAtStart(queue, log, failToStart);
  const places = await openDataPlaces({ roots: config.dataRoots, closed: ownFolders(config), buckets: config.dataBuckets, store: config.store, ...storeOptions(config), patienceMs: 0 });
  const nudge = (job: string): void => void queue.control.nudge(job).catch(() => undefined);
  const name = `ctl_${freshUlid()}`;
  const { isSound, sharedNow } = makeClockWatch({ store, clock: systemClock, log });
  const room = makeJobRoom({ store, clock: systemClock, openJobs: config.maxOpenJobs, log });
  const deps = { store, clock: systemClock, isSound, room, tickets: queue.tickets, log, nudge, admit: (spec: unknown, resolved?: ResolvedSpec) => admitSpec(spec, places, store, resolved), admitSweep: (spec: unknown, series: Series) => admitSweep(spec, places, store, series) };
  const schedules = makeScheduleDriver(deps, name);
  const sweeps = makeSweepDriver(deps, ({ schedule }) => schedule && schedules.changed(schedule.id));
  const controller = makeController({ name, store, queue, clock: systemClock, sharedNow, log, sweeps, schedules });
  const leave = async (code: number): Promise<never> => {
    await controller.close();
    await queue.close();
    await store.close();
    await places.buckets?.objects.close();
    process.exit(code);
  };
  if (values.once) {
    await queue.check(); // without Redis there is nothing to refill
    process.stdout.write(`${JSON.stringify(await controller.recover(OWNER_PATIENCE_MS))}\n`);
    await leave(0);
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void leave(0));
  onParentGone(() => void leave(0));
  whenBroken(store, (why) => {
    log.error({ why }, 'this process can write no more, and goes');
    process.exit(1);
  });
  controller.start();
  log.info({ store: store.description }, 'controller ready');
  process.send?.({ type: 'ready' });
}

main().catch(failToStart);
