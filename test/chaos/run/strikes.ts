// Carries out what the schedule says, and tells whether it struck: a strike that meets nobody is none.
import type { Fault, FaultProxy } from '../../support/fault-proxy.js';
import { KINDS, PARTS, type StrikeKind } from './kinds.js';
import { type Part, signalChild } from './processes.js';
import { asked, strikeJob } from './job-strikes.js';
import { resubmit } from './jobs.js';
import { describePlan, type Planned } from './schedule.js';
import { type Missed, type Run, sleep, type Struck } from './state.js';

/** Every strike at its time, each beside the others; resolves when the last one is over. */
export async function carryOut(run: Run, planned: readonly Planned[]): Promise<void> {
  const under: Promise<void>[] = [];
  for (const plan of planned) {
    await sleep(Math.max(0, run.startedAt + plan.atMs - Date.now()), run.signal);
    if (run.signal.aborted) break;
    const struck: Struck = { ...plan, from: Date.now(), to: null, struck: true, note: null, job: null, recoveredMs: null };
    run.strikes.push(struck);
    under.push(
      strike(run, struck).then(
        (missed) => settle(run, struck, missed),
        (error: unknown) => {
          // The run is being taken down, or the strike met what another one had struck. A mistake in a strike is none of both.
          settle(run, struck, `it went wrong: ${(error as Error).message}`);
          if (isMistake(error)) run.fail(error);
        },
      ),
    );
  }
  await Promise.all(under);
}

/** Of whoever wrote it, not of what it met. */
export const isMistake = (error: unknown): boolean => [TypeError, ReferenceError, RangeError, SyntaxError].some((kind) => error instanceof kind);

function settle(run: Run, struck: Struck, missed: Missed): void {
  struck.to = Date.now();
  struck.struck = missed === null;
  struck.note ??= missed;
  run.say(`${describePlan(struck)}${struck.job ? `  ${struck.job}` : ''}${missed === null ? '' : `  missed: ${missed}`}`);
}

async function strike(run: Run, struck: Struck): Promise<Missed> {
  const { kind, target } = struck;
  switch (KINDS[kind].aim) {
    case 'worker':
      return strikeWorker(run, struck, run.system.workers[target]!);
    case 'part':
      return jumpClock(run, struck, run.system.parts[target]!);
    case 'controller':
    case 'api':
      return strikePart(run, struck, kind.startsWith('api') ? run.system.api : run.system.controller);
    case 'redis':
      return strikeRedis(run, struck);
    case 'redis-gate':
      return strikeRedisGates(run, struck);
    case 'store':
      return strikeStore(run, struck);
    case 'store-gate':
      return strikeStoreGates(run, struck);
    case 'job':
      return strikeJob(run, struck);
  }
}

/** The jobs that a worker's process owns, to be watched until they go on. */
function expectRecovery(run: Run, struck: Struck, worker: string | undefined, sameFence: boolean): void {
  for (const job of run.jobs) {
    const { head } = job;
    if (!head?.owner || head.owner.worker !== worker || job.over) continue;
    struck.job = job.id;
    job.recovering.push({ struck, fence: head.fence, seq: head.seq, sameFence });
  }
}

async function strikeWorker(run: Run, struck: Struck, part: Part): Promise<Missed> {
  const { worker } = part.said();
  if (!part.isReady()) return 'it is not there';
  if (part.isFrozen()) return 'it is frozen';
  const { kind, lastsMs } = struck;
  const trainers = await part.children();
  const [trainer] = trainers;
  if (kind === 'worker-term' || kind === 'worker-kill') {
    expectRecovery(run, struck, worker, false);
    return part.signal(kind === 'worker-kill' ? 'SIGKILL' : 'SIGTERM') ? null : 'it is not there';
  }
  if (kind === 'drain') return asked(() => run.system.client.drain(worker!));
  if (kind === 'supervisor-freeze' || kind === 'worker-freeze') {
    expectRecovery(run, struck, worker, true);
    return freeze(run, struck, part, kind === 'worker-freeze' ? trainers : []);
  }
  if (kind === 'worker-cut-off') {
    expectRecovery(run, struck, worker, true);
    return cutOff(run, struck, PARTS.indexOf(part.name));
  }
  if (trainer === undefined) return 'it has no trainer';
  if (kind === 'trainer-kill') expectRecovery(run, struck, worker, false);
  if (!signalChild(trainer, kind === 'trainer-kill' ? 'SIGKILL' : kind === 'trainer-term' ? 'SIGTERM' : 'SIGSTOP')) return 'its trainer has gone';
  if (kind !== 'trainer-freeze') return null;
  await sleep(lastsMs, run.signal);
  signalChild(trainer, 'SIGCONT');
  return null;
}

async function cutOff(run: Run, { lastsMs }: Struck, part: number): Promise<Missed> {
  const toRedis = run.system.redisGates[part]!;
  const met = toRedis.refuse();
  const toStore = run.system.storeGates[part]!.inject('*', { kind: 'reset' }, Infinity);
  await sleep(lastsMs, run.signal);
  toRedis.accept();
  toStore.remove();
  return met + toStore.hits() > 0 ? null : 'it had no connection';
}

async function freeze(run: Run, struck: Struck, part: Part, children: readonly number[]): Promise<Missed> {
  const thaw = part.freeze(children);
  if (!thaw) return 'it is not there, or frozen';
  await sleep(struck.lastsMs, run.signal);
  thaw();
  return null;
}

const LONGEST_JUMP_MS = 3 * 3_600_000;

async function jumpClock(run: Run, struck: Struck, part: Part): Promise<Missed> {
  const aheadMs = Math.round((2 * struck.chance - 1) * LONGEST_JUMP_MS);
  struck.note = `${part.name} ${aheadMs < 0 ? 'behind' : 'ahead'} by ${Math.round(Math.abs(aheadMs) / 1_000)} s`;
  if (!part.setClock(aheadMs)) return 'it is not there, or frozen';
  await sleep(struck.lastsMs, run.signal);
  part.setClock(0);
  return null;
}

async function strikePart(run: Run, struck: Struck, part: Part): Promise<Missed> {
  if (struck.kind.endsWith('-freeze')) return freeze(run, struck, part, []);
  return part.signal(struck.kind.endsWith('-kill') ? 'SIGKILL' : 'SIGTERM') ? null : 'it is not there, or frozen';
}

/** One thing at a time is done to the Redis process and to the S3 server; what comes meanwhile finds them away. */
const busy = new WeakSet<object>();
async function alone(what: object, act: () => Promise<void>): Promise<Missed> {
  if (busy.has(what)) return 'it is away already';
  busy.add(what);
  try {
    await act();
    return null;
  } finally {
    busy.delete(what);
  }
}

async function strikeRedis(run: Run, { kind, lastsMs }: Struck): Promise<Missed> {
  const { redis } = run.system;
  return alone(redis, async () => {
    if (kind === 'redis-flush') {
      await redis.flush();
      // What was acknowledged is known under its key all the same.
      const open = run.jobs.filter((job) => !job.over);
      await Promise.all(open.map((job) => resubmit(run, job)));
      return;
    }
    if (kind === 'redis-freeze') {
      redis.freeze();
      await sleep(lastsMs, run.signal);
      redis.thaw();
      return;
    }
    if (kind === 'redis-kill') await redis.kill();
    else await redis.end();
    await sleep(lastsMs, run.signal);
    await redis.restart();
  });
}

const gatesOf = <T>(gates: readonly T[], target: number): T[] => (target === PARTS.length ? [...gates] : [gates[target]!]);

async function strikeRedisGates(run: Run, { kind, target, lastsMs }: Struck): Promise<Missed> {
  const gates = gatesOf(run.system.redisGates, target);
  const met = gates.reduce((count, gate) => count + (kind === 'redis-cut' ? gate.cut() : kind === 'redis-stall' ? gate.stall() : gate.refuse()), 0);
  await sleep(lastsMs, run.signal);
  for (const gate of gates) {
    gate.flow();
    gate.accept();
  }
  return met > 0 ? null : 'it had no connection';
}

async function strikeStore(run: Run, { lastsMs }: Struck): Promise<Missed> {
  const { s3 } = run.system;
  if (!s3) return 'the store is a folder';
  return alone(s3, async () => {
    await s3.kill();
    await sleep(lastsMs, run.signal);
    await s3.restart();
  });
}

/** Listings are left whole: what is damaged is what lies in the store, and HEAD. */
const OBJECTS = /^[^?]*(\?x-id=GetObject)?$/;

/** What is to be spoilt: of which requests, how many. */
interface Spoilt {
  method: string;
  fault: Fault;
  times: number;
  path?: RegExp;
}

/** By kind. `chance` chooses among what the kind leaves open, `few` is a number from 1 to 4, `over` resolves at the strike's end. */
const FAULTS: Partial<Record<StrikeKind, (chance: number, few: number, over: Promise<unknown>) => Spoilt>> = {
  'store-slow': (chance) => ({ method: '*', fault: { kind: 'delay', ms: 100 + 1_000 * chance }, times: Infinity }),
  'store-refuse': () => ({ method: '*', fault: { kind: 'reset' }, times: Infinity }),
  'store-lost-answers': (chance, few) => ({ method: chance < 0.8 ? 'PUT' : 'DELETE', fault: { kind: 'lose-answer' }, times: few }),
  'store-errors': (chance, few) => ({ method: '*', fault: chance < 0.5 ? { kind: 'answer', status: 503, code: 'SlowDown' } : { kind: 'answer', status: 500, code: 'InternalError' }, times: 3 * few }),
  'store-false-errors': (chance, few) => ({ method: 'PUT', fault: { kind: 'replace-answer', status: chance < 0.5 ? 500 : 503, code: 'InternalError' }, times: few }),
  'store-twice': (_chance, few) => ({ method: 'PUT', fault: { kind: 'send-twice' }, times: 2 * few }),
  'store-cut': (chance, few) => ({ method: 'GET', fault: { kind: 'half-answer', then: chance < 0.4 ? 'reset' : chance < 0.8 ? 'close' : 'silence' }, times: few }),
  'store-damage': (chance, few) => ({ method: 'GET', fault: { kind: 'damage', at: chance }, times: few, path: OBJECTS }),
  'store-silence': (_chance, few) => ({ method: '*', fault: { kind: 'black-hole' }, times: few }),
  'store-late': (_chance, few, over) => ({ method: 'PUT', fault: { kind: 'hold', until: over }, times: few }),
};

async function strikeStoreGates(run: Run, struck: Struck): Promise<Missed> {
  const over = sleep(struck.lastsMs, run.signal);
  const injected = gatesOf<FaultProxy>(run.system.storeGates, struck.target).map((gate) => {
    const { method, fault, times, path } = FAULTS[struck.kind]!(struck.chance, 1 + Math.floor(struck.chance * 4), over);
    return gate.inject(method, fault, times, path);
  });
  await over;
  for (const one of injected) one.remove();
  const hits = injected.reduce((sum, one) => sum + one.hits(), 0);
  struck.note = hits > 0 ? `${hits} requests` : null;
  return hits > 0 ? null : 'no request came by';
}
