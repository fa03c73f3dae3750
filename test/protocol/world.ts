// A world in which the HEAD protocol runs alone: a store whose calls may be delayed, lost before or after taking effect,
// or answered late; workers that train by counting, die and freeze; two controllers; an API; a set of tickets that can be
// emptied. One seed is one interleaving. The protocol's own code is given in, so that a copy with a rule taken out can be
// put in its place. Every effect is checked against the invariants at the moment it happens.
import { startCursor } from '../../lib/training/cursor.js';
import { startMonitor } from '../../lib/training/monitor.js';
import { createHash } from 'node:crypto';
import type { Head, JobRecord, Manifest, Owner } from '../../lib/contract/records.js';
import type * as CommitModule from '../../lib/jobs/commit.js';
import type * as ControlModule from '../../lib/jobs/control.js';
import type * as HandoverModule from '../../lib/jobs/handover.js';
import type * as HeadModule from '../../lib/jobs/head.js';
import type * as LifecycleModule from '../../lib/jobs/lifecycle.js';
import type * as ReconcileModule from '../../lib/jobs/reconcile.js';
import type * as TicketModule from '../../lib/queue/ticket.js';
import type { ErrorCode } from '../../lib/errors.js';
import type { Store } from '../../lib/store/index.js';
import { headProblem } from '../support/strict-records.js';
import { makeXorshift } from '../support/xorshift.js';

export interface Protocol {
  commit: typeof CommitModule;
  control: typeof ControlModule;
  handover: typeof HandoverModule;
  head: typeof HeadModule;
  lifecycle: typeof LifecycleModule;
  reconcile: typeof ReconcileModule;
  ticket: typeof TicketModule;
  AppError: new (code: ErrorCode, message: string) => Error;
}

export interface WorldResult {
  violations: string[];
  steps: number;
  faults: Record<string, number>;
  /** What happened, so that a run proves it was no quiet one. */
  claims: number;
  commits: number;
  verbs: number;
  finalState: string;
}

const JOB = 'job_00000000000000000000000000';
/** Micro-batches of the whole training; a window is two. */
const TOTAL = 8;

interface StoredValue {
  body: Buffer;
  etag: string;
}

/** A process: its calls are answered only while it runs; frozen, they wait; dead, never. */
interface Proc {
  name: string;
  state: 'running' | 'frozen' | 'dead';
  /** The claim whose names it may write, for the zombie check. */
  fence: number | null;
  attempt: string | null;
  /** Its story has ended: it beats no more. */
  over: boolean;
}

export async function simulate(protocol: Protocol, seed: number): Promise<WorldResult> {
  const random = makeXorshift((Math.imul(seed + 1, 0x9e3779b1) ^ 0x6a09e667) >>> 0 || 1);
  const chance = (p: number): boolean => random() < p;
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;

  const objects = new Map<string, StoredValue>();
  let etags = 0;
  const tickets = new Map<string, LifecycleModule.Ticket & { active: boolean }>();
  const violations: string[] = [];
  const faults: Record<string, number> = {};
  const result: WorldResult = { violations, steps: 0, faults, claims: 0, commits: 0, verbs: 0, finalState: '' };
  const violate = (what: string): void => void (violations.length < 5 && violations.push(what));
  const struck = (fault: string): void => void (faults[fault] = (faults[fault] ?? 0) + 1);

  // ── the scheduler: what may happen next, in any order ────────────────────────────────────────────────────────────
  interface Pending {
    proc: Proc | null;
    run: () => void;
  }
  let pending: Pending[] = [];
  let calm = false;
  const soon = (proc: Proc | null, run: () => void): void => void pending.push({ proc, run });
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  // ── invariants ───────────────────────────────────────────────────────────────────────────────────────────────────
  let lastHead: Head | null = null;
  const chain: { id: string; microBatches: number }[] = [];
  let acknowledged: { verb: string; headVersion: number; commitsSince: number } | null = null;

  const stateOf = (microBatches: number): string => createHash('sha256').update(`state ${microBatches}`).digest('hex').slice(0, 16);
  /** Weights change at updates only, or every time; they come back to earlier bytes, since equal bytes at different times are the hard case. */
  const weightsOf = seed % 2 === 0 ? (microBatches: number): string => `weights ${Math.floor(microBatches / 2) % 2}` : (microBatches: number): string => `weights ${microBatches % 3}`;

  function checkHead(body: Buffer, writer: Proc): void {
    const head = JSON.parse(body.toString()) as Head;
    const problem = headProblem(head);
    if (problem !== null) violate(`HEAD is malformed: ${problem}`);
    const last = lastHead;
    if (last) {
      if (head.version !== last.version + 1) violate(`version went ${last.version} → ${head.version}`);
      const order = (h: Head): number[] => [h.gen, h.fence, h.seq];
      for (let i = 0; i < 3; i++) {
        const [a, b] = [order(last)[i]!, order(head)[i]!];
        if (b > a) break;
        if (b < a) violate(`(gen, fence, seq) fell: ${order(last).join(',')} → ${order(head).join(',')}`);
      }
      if (protocol.lifecycle.isTerminal(last.state) && head.gen === last.gen && (head.state !== last.state || head.manifest !== last.manifest)) violate(`terminal ${last.state} became ${head.state} within gen ${head.gen}`);
      if (head.owner && last.owner && head.owner.attempt !== last.owner.attempt && head.fence === last.fence) violate('two owners under one fence');
      if (head.seq > last.seq && last.attempt !== head.attempt) violate('a commit by an attempt that is not the owner');
    }
    for (const commit of head.retained) {
      const stored = objects.get(commit.manifest);
      if (!stored) violate(`retained manifest ${commit.manifest} is not there`);
      for (const blob of commit.blobs) if (!objects.has(blob.key)) violate(`retained blob ${blob.key} is not there when HEAD names it`);
    }
    if (head.seq > (last?.seq ?? 0)) {
      // Commits of one window stand on the same slots; once there are two windows, one bad blob may not be in the way of all.
      const windows = new Set([...chain.map((commit) => commit.microBatches), ...head.retained.map((commit) => commit.micro_batches)].map((done) => Math.floor(done / 2)));
      const keys = head.retained.map((commit) => new Set(commit.blobs.map((blob) => blob.key)));
      const apart = keys.some((a, i) => keys.slice(i + 1).some((b) => [...a].every((key) => !b.has(key))));
      if (windows.size > 1 && !apart) violate('every retained commit shares one base blob');
    }
    if (head.seq > (last?.seq ?? 0) && head.manifest) {
      const manifest = JSON.parse(objects.get(head.manifest)?.body.toString() ?? 'null') as Manifest | null;
      if (!manifest) violate('HEAD names a manifest that is not there');
      else {
        result.commits++;
        const previous = chain.at(-1);
        if (previous && manifest.prev?.id !== previous.id) violate(`commit ${manifest.id} follows ${manifest.prev?.id ?? 'nothing'}, not ${previous.id}`);
        if (previous && manifest.state.cursor.micro_batches < previous.microBatches) violate('progress went back');
        chain.push({ id: manifest.id, microBatches: manifest.state.cursor.micro_batches });
        if (acknowledged) acknowledged.commitsSince++;
      }
    }
    if (acknowledged && head.version > acknowledged.headVersion) {
      if (acknowledged.verb === 'cancel' && head.state === 'succeeded') violate('succeeded after an acknowledged cancel');
      if (acknowledged.verb === 'pause' && head.state === 'succeeded') violate('succeeded after an acknowledged pause');
      if ((acknowledged.verb === 'pause' || acknowledged.verb === 'cancel') && acknowledged.commitsSince > 2) violate(`${acknowledged.commitsSince} commits after an acknowledged ${acknowledged.verb}`);
    }
    if (head.fence > (last?.fence ?? 0)) {
      writer.fence = head.fence;
      writer.attempt = head.attempt;
    }
    lastHead = head;
  }

  /** A displaced attempt writes only under its own fence, and what it deletes is needed by nobody. */
  function checkWrite(key: string, writer: Proc, fence: number | null): void {
    const blob = /\/data\/(\d+)\//.exec(key);
    if (blob && Number(blob[1]) !== fence) violate(`${writer.name} (fence ${fence}) wrote ${key}`);
  }
  function checkDelete(key: string): void {
    if (lastHead?.retained.some((commit) => commit.manifest === key || commit.blobs.some((blob) => blob.key === key))) violate(`deleted ${key}, which HEAD retains`);
  }

  // ── the store as one process sees it ─────────────────────────────────────────────────────────────────────────────
  function storeOf(proc: Proc): Store {
    function call<T>(kind: 'read' | 'write', effect: () => T): Promise<T> {
      return new Promise((resolve, reject) => {
        const unclear = (): void => reject(new protocol.AppError('store_unavailable', 'no answer'));
        const dice = calm ? 1 : random();
        if (kind === 'write' && dice < 0.06) {
          struck('answer lost after taking effect');
          soon(proc, () => {
            effect();
            soon(proc, unclear);
          });
        } else if (kind === 'write' && dice < 0.12) {
          // The caller gives up first; the write lands later, whatever became of the caller.
          struck('landed after giving up');
          soon(proc, () => {
            unclear();
            soon(null, () => soon(null, () => soon(null, () => void effect())));
          });
        } else if (dice < 0.17) {
          struck('lost before taking effect');
          soon(proc, unclear);
        } else if (dice < 0.27) {
          // Takes effect now, answered late.
          soon(proc, () => {
            const value = effect();
            soon(proc, () => soon(proc, () => resolve(value)));
          });
        } else {
          soon(proc, () => {
            const value = effect();
            resolve(value);
          });
        }
      });
    }
    const write = (key: string, body: Uint8Array, fence: number | null): string => {
      const etag = String(++etags);
      const copy = Buffer.from(body);
      checkWrite(key, proc, fence);
      if (key.endsWith('/HEAD')) checkHead(copy, proc);
      objects.set(key, { body: copy, etag });
      return etag;
    };
    return {
      description: 'a store that cannot be trusted',
      put: (key, body) => {
        const fence = proc.fence;
        if (!(body instanceof Uint8Array)) throw new Error('not used');
        return call('write', () => ({ etag: write(key, body, fence) }));
      },
      putIfAbsent: (key, body) => {
        const fence = proc.fence;
        return call('write', () => (objects.has(key) ? { created: false as const } : { created: true as const, etag: write(key, body, fence) }));
      },
      compareAndSwap: (key, body, etag) => {
        const fence = proc.fence;
        return call('write', () => (objects.get(key)?.etag === etag ? { swapped: true as const, etag: write(key, body, fence) } : { swapped: false as const }));
      },
      get: (key) => call('read', () => objects.get(key) ?? null),
      head: (key) => call('read', () => (objects.has(key) ? { key, sizeBytes: 0, etag: '', modifiedAt: new Date(0) } : null)),
      confirm: () => call('read', () => undefined),
      list: async function* (prefix) {
        const keys = await call('read', () => [...objects.keys()].filter((key) => key.startsWith(prefix)).sort());
        for (const key of keys) yield { key, sizeBytes: 0, etag: '', modifiedAt: new Date(0) };
      },
      keys: () => {
        throw new Error('not used');
      },
      delete: (key) =>
        call('write', () => {
          checkDelete(key);
          objects.delete(key);
        }),
      brokenBy: () => null,
      close: () => Promise.resolve(),
    };
  }

  const log = { warn: () => undefined };
  const clockOf = (proc: Proc) => ({ now: () => new Date(1_700_000_000_000 + result.steps * 1_000), sleep: () => new Promise<void>((resolve) => soon(proc, resolve)) });
  const issuer = {
    issue: (ticket: LifecycleModule.Ticket) => {
      if (!calm && chance(0.1)) {
        struck('ticket lost');
        return Promise.reject(new protocol.AppError('queue_unavailable', 'Redis is away'));
      }
      const id = protocol.ticket.ticketId(ticket);
      if (!tickets.has(id)) tickets.set(id, { job: ticket.job, gen: ticket.gen, fence: ticket.fence, active: false });
      return Promise.resolve();
    },
    withdraw: (ticket: LifecycleModule.Ticket) => {
      const id = protocol.ticket.ticketId(ticket);
      if (tickets.get(id)?.active === false) tickets.delete(id);
      return Promise.resolve();
    },
  };

  // ── actors ───────────────────────────────────────────────────────────────────────────────────────────────────────
  const procs: Proc[] = [];
  let emptied = false;
  function spawn(name: string, story: (proc: Proc) => Promise<void>): Proc {
    const proc: Proc = { name, state: 'running', fence: null, attempt: null, over: false };
    procs.push(proc);
    story(proc).finally(() => (proc.over = true)).catch((error: unknown) => {
      const code = (error as { code?: string }).code;
      if (code !== 'fenced' && code !== 'store_unavailable' && code !== 'invalid_state' && code !== 'queue_unavailable') violate(`${name} threw ${String(error)}`);
    });
    return proc;
  }
  const isLive = (_job: string, owner: Owner): Promise<boolean> => {
    const proc = procs.find((candidate) => candidate.attempt === owner.attempt && candidate.state !== 'dead');
    // A frozen owner does not beat, and at times Redis has forgotten a live one: HEAD has to cope with both.
    if (!proc || proc.over || proc.state === 'frozen') return Promise.resolve(false);
    if (!calm && chance(0.25)) {
      struck('a live owner taken for dead');
      return Promise.resolve(false);
    }
    return Promise.resolve(true);
  };
  const account = () => Promise.resolve(protocol.lifecycle.NOTHING_DONE);
  const limits = { maxFailures: 3, maxPreemptions: null, startAfter: null, startBefore: null };
  const record = { id: JOB, created_at: '2026-01-01T00:00:00.000Z', spec: { name: null, training: { batch_size: 1 }, run: { priority: 0, start_after: null, start_before: null, max_failures: 3, max_preemptions: null, tags: {} } } } as unknown as JobRecord;
  const inputs = { data_sha256: '0'.repeat(64), init_sha256: null, numerics_class: 'model', engine: 'model', train_samples: 8, mixed: false };
  let checkpoints = 0;

  async function work(proc: Proc, ticketId: string): Promise<void> {
    const ticket = tickets.get(ticketId);
    if (!ticket || ticket.active) return;
    ticket.active = true;
    const store = storeOf(proc);
    const clock = clockOf(proc);
    const deps = { store, clock };
    let handedOver = false;
    const handOver = async (after: Head): Promise<void> => {
      handedOver = await protocol.handover.handOver({ store, clock, tickets: issuer, log }, record, after);
    };
    try {
      const outcome = await protocol.head.claimJob(deps, { job: JOB, worker: proc.name, ticket, limits, isLive: (owner) => isLive(JOB, owner), account, sharedNow: () => Promise.resolve(clock.now()) });
      if (outcome.kind === 'finished' || outcome.kind === 'terminal') {
        await handOver(outcome.head);
        return;
      }
      if (outcome.kind !== 'claimed') return;
      result.claims++;
      const { claim } = outcome;
      proc.fence = claim.fence;
      proc.attempt = claim.attempt;
      const head = claim.head();
      let done = 0;
      let base: Manifest | null = null;
      const latest = head.retained.at(-1);
      if (latest) {
        const stored = await retry(clock, () => store.get(latest.manifest));
        base = JSON.parse(stored!.body.toString()) as Manifest;
        done = base.state.cursor.micro_batches;
        for (const blob of latest.blobs) {
          const there = await retry(clock, () => store.get(blob.key));
          // A zombie may read what its successor's retention has dropped; the owner may not.
          if (!there && lastHead?.attempt === claim.attempt) violate(`blob ${blob.key} of the commit to resume from is gone`);
          if (there && createHash('sha256').update(there.body).digest('hex') !== blob.sha256) violate('a blob changed');
        }
      }
      const committer = protocol.commit.makeCommitter({ store, clock, log, onDamaged: (segment) => violate(`${segment.key} is damaged`) }, claim, base);
      const final = base?.final ?? null;
      const commitAt = async (ending?: LifecycleModule.Ending) => {
        const cursor = { ...startCursor(), position: done, window_position: done % 2, micro_batches: done, updates: Math.floor(done / 2) };
        const sums = { samples: done % 2, micro_batches: done % 2, loss: 0, correct: 0, top_k_correct: 0 };
        const completed = ending?.kind === 'completed';
        const { head: after } = await committer.commit({
          state: { cursor, window: sums, epoch: sums, last_epoch: null, monitor: startMonitor() },
          blobs: [
            { role: 'weights', read: () => Promise.resolve(Buffer.from(weightsOf(done))) },
            // the same for ever, as those of an optimizer without any
            { role: 'slots', read: () => Promise.resolve(Buffer.from('none')) },
            ...(done % 2 ? [{ role: 'window' as const, read: () => Promise.resolve(Buffer.from(`window ${done}`)) }] : []),
          ],
          updateRows: [], epochRows: [], events: [], inputs, specSha256: '0'.repeat(64), keepLast: 2, keepBest: null, best: null,
          final: completed ? (ending).result : null,
          trainSeconds: 0, saveSeconds: () => 0, checkpointId: `ckpt_${++checkpoints}`,
          ...(ending ? { ending: (h: Head) => protocol.lifecycle.attemptEnded(h, ending, protocol.lifecycle.NOTHING_DONE, limits, clock.now()) } : {}),
        });
        return after;
      };
      const completion = { kind: 'completed' as const, result: { weights_sha256: '0'.repeat(64), state_sha256: stateOf(TOTAL).padEnd(64, '0'), metrics: {}, validation: null, updates: TOTAL / 2, unused_micro_batches: 0, skipped_windows: 0, stopped_by: 'epochs' as const, engine: 'model', numerics_class: 'model', numerics: 'strict' as const } };
      const willDie = !calm && chance(0.35) ? Math.floor(random() * 4) : -1;
      const willStop = chance(0.3) ? Math.floor(random() * 4) : -1;
      for (let step = 0; ; step++) {
        if (final || done === TOTAL) {
          const after = final ? await claim.write((h) => protocol.lifecycle.attemptEnded(h, completion, protocol.lifecycle.NOTHING_DONE, limits, clock.now())) : await commitAt(completion);
          await handOver(after);
          return;
        }
        if (step === willDie) {
          struck('worker killed');
          proc.state = 'dead';
          await new Promise<never>(() => undefined);
        }
        if (step === willStop || claim.head().want.verb !== 'run') {
          const verb = claim.head().want.verb;
          const ending = { kind: 'stopped' as const, reason: verb === 'run' ? ('preempted_notice' as const) : ('user' as const), message: '' };
          const after = verb === 'kill' ? await claim.write((h) => protocol.lifecycle.attemptEnded(h, ending, protocol.lifecycle.NOTHING_DONE, limits, clock.now())) : await commitAt(ending);
          await handOver(after);
          return;
        }
        await clock.sleep();
        done++;
        if (done < TOTAL && chance(0.7)) {
          await commitAt();
          // Told by the swap at the latest.
          if (chance(0.5)) await claim.refresh().catch((error: unknown) => { if ((error as { code?: string }).code === 'fenced') throw error; });
        }
      }
    } finally {
      tickets.delete(ticketId);
      // A ticket that was issued must outlive the one being worked on.
      const head = lastHead;
      if (handedOver && proc.attempt === head?.attempt && protocol.handover.wantsTicket(head) && tickets.size === 0 && !emptied) violate('a job that wants to run was handed over without a ticket');
    }
  }

  async function retry<T>(clock: { sleep: () => Promise<void> }, call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if ((error as { code?: string }).code !== 'store_unavailable') throw error;
        await clock.sleep();
      }
    }
  }

  async function control(proc: Proc): Promise<void> {
    const store = storeOf(proc);
    const clock = clockOf(proc);
    const keys: string[] = [];
    for await (const info of store.list('open/')) keys.push(info.key);
    for (const key of keys) {
      const gen = Number(key.split('.')[1]);
      await protocol.reconcile.reconcileJob({ store, clock, tickets: issuer, log, name: proc.name, isLive, account, sharedNow: () => Promise.resolve(clock.now()) }, JOB, gen);
    }
  }

  async function say(proc: Proc, verb: 'pause' | 'resume' | 'cancel' | 'retry'): Promise<void> {
    const deps = { store: storeOf(proc), clock: clockOf(proc), tickets: issuer, log };
    if (verb === 'retry') await protocol.control.retryJob(deps, JOB);
    else await protocol.control.sayVerb(deps, JOB, verb, 'user');
    result.verbs++;
    // Acknowledged now: what holds from here on.
    acknowledged = verb === 'resume' || verb === 'retry' ? null : { verb, headVersion: lastHead?.version ?? 0, commitsSince: 0 };
  }

  // ── one life ─────────────────────────────────────────────────────────────────────────────────────────────────────
  objects.set(`open/${JOB}.0`, { body: Buffer.from('{}'), etag: 'm' });
  objects.set(`jobs/${JOB}/job.json`, { body: Buffer.from(JSON.stringify(record)), etag: 'j' });
  await issuer.issue({ job: JOB, gen: 0, fence: 0 }).catch(() => undefined);

  let sequence = 0;
  let apiBusy = false;
  let lastVerb: string | null = null;
  const busyControllers = new Set<string>();
  const act = (): void => {
    const dice = random();
    const waiting = [...tickets].filter(([, ticket]) => !ticket.active);
    if (dice < 0.35 && waiting.length > 0) {
      const [id] = pick(waiting);
      spawn(`worker ${++sequence}`, (proc) => work(proc, id));
    } else if (dice < 0.6) {
      const name = pick(['controller 1', 'controller 2']);
      if (busyControllers.has(name)) return;
      busyControllers.add(name);
      spawn(name, (proc) => control(proc).finally(() => busyControllers.delete(name)));
    } else if (dice < 0.66 && !calm && !apiBusy) {
      const verb = pick(['pause', 'resume', 'resume', 'cancel', 'retry', 'retry', 'pause'] as const);
      apiBusy = true;
      lastVerb = verb;
      // Until its answer a verb may or may not hold: nothing is promised meanwhile, unless it asks for the same again.
      if (verb === 'resume' || verb === 'retry') acknowledged = null;
      spawn(`api ${verb}`, (proc) => say(proc, verb).finally(() => (apiBusy = false)));
    } else if (dice < 0.69 && !calm) {
      const live = procs.filter((proc) => proc.state === 'running' && proc.attempt);
      if (live.length > 0) {
        struck('frozen');
        pick(live).state = 'frozen';
      }
    } else if (dice < 0.73) {
      const frozen = procs.filter((proc) => proc.state === 'frozen');
      if (frozen.length > 0) pick(frozen).state = 'running';
    } else if (dice < 0.74 && !calm) {
      struck('Redis emptied');
      emptied = true;
      tickets.clear();
    }
  };
  const runnable = (): number[] => {
    const indices: number[] = [];
    pending.forEach((entry, index) => {
      if (entry.proc === null || entry.proc.state === 'running') indices.push(index);
    });
    return indices;
  };
  const isOver = (): boolean => lastHead !== null && (protocol.lifecycle.isTerminal(lastHead.state) || (lastHead.want.verb === 'pause' && lastHead.owner === null)) && !objects.has(`open/${JOB}.${lastHead.gen}`);

  for (let step = 0; step < 700; step++) {
    result.steps++;
    if (step === 350) {
      // Faults end; everything that is alive goes on. From here the job must reach the end that was asked for.
      calm = true;
      for (const proc of procs) if (proc.state === 'frozen') proc.state = 'running';
      for (const [id, ticket] of tickets) if (ticket.active && !procs.some((proc) => proc.state === 'running' && pending.some((entry) => entry.proc === proc))) tickets.delete(id);
    }
    // BullMQ's stall check returns the ticket of a dead worker sooner or later; here it is simply gone, and the reconciler is asked to cope.
    if (runnable().length === 0 || chance(0.15)) act();
    const choices = runnable();
    if (choices.length > 0) {
      const [entry] = pending.splice(pick(choices), 1);
      entry!.run();
      await settle();
    }
    if (violations.length > 0) break;
    if (calm && isOver() && pending.length === 0) break;
    if (pending.length > 200) pending = pending.filter((entry) => entry.proc === null || entry.proc.state !== 'dead');
  }
  const head = lastHead as Head | null;
  result.finalState = head ? head.state : 'none';
  if (violations.length === 0) {
    if (!head) violate('nobody ever claimed the job');
    else {
      const ok = protocol.lifecycle.isTerminal(head.state) || (head.want.verb === 'pause' && head.owner === null) || (head.state === 'paused' && head.want.verb === 'pause');
      if (!ok) violate(`after all faults ended the job is ${head.state}, wanted ${head.want.verb}, owner ${head.owner?.attempt ?? 'none'}, tickets ${[...tickets.keys()].join(' ')}`);
      if (head.state === 'succeeded' && chain.at(-1)?.microBatches !== TOTAL) violate(`succeeded at micro-batch ${chain.at(-1)?.microBatches}`);
      if (acknowledged && (acknowledged as { verb: string }).verb === 'cancel' && head.state !== 'cancelled') violate(`an acknowledged cancel ended as ${head.state} (last verb ${lastVerb})`);
    }
  }
  return result;
}
