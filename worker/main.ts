// Entry of a worker process: `worker` takes tickets until it is told to go; `worker run FILE` runs one job record to its end
// without a queue and prints its HEAD. Reads the environment, wires, handles signals.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { systemClock } from '../lib/clock.js';
import { type Config, ownFolders, readConfig, storeOptions } from '../lib/config.js';
import type { JobRecord } from '../lib/contract/records.js';
import { defaultDataMemoryBytes } from '../lib/data/memory.js';
import { AppError } from '../lib/errors.js';
import { loadRecord } from '../lib/jobs/record.js';
import { makeLog } from '../lib/log.js';
import { checkAtStart, connectQueue } from '../lib/queue/index.js';
import { failToStart, onParentGone } from '../lib/start-up.js';
import type { Store } from '../lib/store/index.js';
import { whenBroken } from '../lib/store/broken.js';
import { openDataPlaces, openStore } from '../lib/store/open.js';
import { probeStore } from '../lib/store/probe.js';
import { VERSION } from '../lib/version.js';
import { runDetached } from './supervisor/detached.js';
import { chooseDevices } from './supervisor/devices.js';
import type { DataMeans } from './supervisor/inputs.js';
import { graceOf, type NoticeFacts } from './supervisor/notice.js';
import { watchNotices } from './supervisor/notices/index.js';
import { makeSupervisor } from './supervisor/supervisor.js';

/** For trainers that were killed to be gone. */
const ABANDON_MS = 5_000;
/** A metadata service on this machine's own network answers in milliseconds. */
const FIRST_LOOK_MS = 300;
const trainerEntry = join(import.meta.dirname, 'trainer', 'main.js');

/** A server of data that is away is waited for, before the attempt fails and another one is made. */
const DATA_PATIENCE_MS = 60_000;

/** Jobs beside one another share what data may take. */
async function dataMeans(config: Config, slots: number): Promise<DataMeans> {
  const places = await openDataPlaces({ roots: config.dataRoots, closed: ownFolders(config), buckets: config.dataBuckets, store: config.store, ...storeOptions(config), patienceMs: DATA_PATIENCE_MS });
  return { places, memoryBytes: config.dataMemoryBytes ?? Math.floor(defaultDataMemoryBytes() / slots) };
}

async function work(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { 'exit-when-idle': { type: 'string' }, slots: { type: 'string' }, devices: { type: 'string' } } });
  const exitWhenIdleMs = values['exit-when-idle'] === undefined ? null : Number(values['exit-when-idle']) * 1_000;
  if (values.devices !== undefined && values.slots !== undefined) throw new AppError('invalid_request', '--devices takes a job a GPU, so --slots is not for beside it', { param: 'slots' });
  const gpus = values.devices === undefined ? [] : chooseDevices(values.devices, process.env);
  const slots = gpus.length > 0 ? gpus.length : Number(values.slots ?? '1');
  if (exitWhenIdleMs !== null && !(exitWhenIdleMs >= 0)) throw new AppError('invalid_request', '--exit-when-idle takes seconds', { param: 'exit-when-idle' });
  if (!Number.isInteger(slots) || slots < 1) throw new AppError('invalid_request', '--slots takes a positive integer', { param: 'slots' });

  const config = readConfig(process.env, process.cwd());
  const log = makeLog({ level: config.logLevel, role: 'worker' });
  if (config.redisUrl === null) throw new AppError('invalid_request', 'REDIS_URL is not set: a worker needs the queue (or use `pawl up`)', { param: 'REDIS_URL' });
  const store = await openStore(config.store, storeOptions(config));
  await probeStore(store);
  const queue = connectQueue({ url: config.redisUrl, prefix: config.queuePrefix, log });
  await checkAtStart(queue, log, failToStart);
  const data = await dataMeans(config, slots);
  const supervisor = await makeSupervisor({ store, queue, clock: systemClock, log, data, spoolRoot: join(config.dataDir, 'spool'), trainerEntry, engine: config.engine, env: process.env, slots, gpus, version: VERSION });

  let leaving: Promise<void> | null = null;
  /** Events that are waiting until all is saved. */
  const acknowledgements = new Set<() => Promise<void>>();
  /** Whoever leaves the machine last lets them proceed. */
  const acknowledgeAll = async (): Promise<void> => {
    if (acknowledgements.size === 0 || !(await supervisor.wasLastHere())) return;
    await Promise.all([...acknowledgements].map((acknowledge) => acknowledge()));
  };
  // Whoever ends a process by signal waits for it; a cloud takes its machine when it said that it would, and not before.
  const leave = (why: string, graceMs: number, { reason = 'server_shutdown', trainOn = false }: Partial<Pick<NoticeFacts, 'reason' | 'trainOn'>> = {}): void => {
    log.info({ why, grace_ms: graceMs }, leaving ? 'leaving already' : 'leaving');
    const saved = supervisor.shutdown({ reason, message: `the worker was told to go: ${why}`, graceMs, trainOn });
    leaving ??= (async () => {
      await saved;
      notices.close();
      await acknowledgeAll().catch((error: unknown) => log.warn({ err: error }, 'the event was not approved'));
      await queue.close();
      await store.close();
      await data.places.buckets?.objects.close();
      process.exit(0);
    })().catch((error: unknown) => {
      log.error({ err: error }, 'could not leave in order');
      process.exit(1);
    });
  };
  const notices = watchNotices({
    wanted: config.notices,
    urls: config.metadataUrls,
    log,
    onAnnounced: (announced) => {
      if (announced.kind === 'hint') {
        log.info({ hint: announced.message }, 'this machine may go');
        supervisor.hint();
        return;
      }
      if (announced.acknowledge) acknowledgements.add(announced.acknowledge);
      leave(announced.message, graceOf(announced.leftMs), { reason: 'preempted_notice', trainOn: announced.leftMs !== null });
    },
  });
  process.on('SIGTERM', () => leave('SIGTERM', config.signalGraceMs));
  process.on('SIGINT', () => leave('SIGINT', config.signalGraceMs));
  // A parent that vanished cannot say goodbye; its worker commits and goes.
  onParentGone(() => leave('the parent is gone', config.signalGraceMs));
  /** Another process on this disk may be able to write: it takes the jobs over, and this one's successor is started by whoever looks after workers. */
  const giveUp = async (why: string): Promise<never> => {
    log.error({ why }, 'this process can write no more: its jobs go on without it');
    // A trainer that hangs in that disk ends when it can.
    await Promise.race([supervisor.abandon(), sleep(ABANDON_MS)]);
    process.exit(1);
  };
  whenBroken(store, (why) => void giveUp(why));
  setInterval(() => {
    if (supervisor.drained()) leave('drained', config.signalGraceMs);
    else if (exitWhenIdleMs !== null && supervisor.idleMs() > exitWhenIdleMs) leave('idle', config.signalGraceMs);
  }, 500);
  // On a machine that goes, nothing is begun.
  await notices.firstLook(FIRST_LOOK_MS);
  if (leaving !== null) return;
  supervisor.start();
  log.info({ worker: supervisor.id, store: store.description, slots, gpus }, 'worker ready');
  process.send?.({ type: 'ready', worker: supervisor.id });
}

/** The store of the job whose checkpoint this one begins with; null where it begins with none. */
async function storeOfBeginning({ spec: { model: { init } } }: JobRecord, config: Config): Promise<Store | null> {
  if (init === null || 'from' in init) return null;
  const store = await openStore(config.store, storeOptions(config));
  if (await loadRecord(store, init.job)) return store;
  throw new AppError('invalid_request', `${store.description} has no job ${init.job}, which this one begins with: PAWL_STORE has to be the store that the API uses`, { param: 'PAWL_STORE' });
}

async function runOne(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: { folder: { type: 'string' }, class: { type: 'string' } } });
  const [file] = positionals;
  if (!file || !values.folder) throw new AppError('invalid_request', 'usage: worker run FILE --folder DIR [--class NUMERICS_CLASS]');
  const config = readConfig(process.env, process.cwd());
  const log = makeLog({ level: config.logLevel, role: 'worker' });
  const record = JSON.parse(await readFile(file, 'utf8')) as JobRecord;
  const beginnings = await storeOfBeginning(record, config);
  const head = await runDetached({ record, folder: values.folder, numericsClass: values.class ?? null, data: await dataMeans(config, 1), beginnings, trainerEntry, engine: config.engine, env: process.env, log, onProgress: (percent) => process.send?.({ type: 'progress', percent }) });
  process.stdout.write(`${JSON.stringify(head)}\n`);
  process.exit(0);
}

const [command, ...rest] = process.argv.slice(2);
(command === 'run' ? runOne(rest) : work(process.argv.slice(2))).catch(failToStart);
