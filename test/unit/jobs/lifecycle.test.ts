import { describe, expect, test } from 'vitest';
import type { Head, HeadState, WantVerb } from '../../../lib/contract/records.js';
import { isAppError } from '../../../lib/errors.js';
import { attemptEnded, claimed, CRASH_LOOP_LIMIT, decideClaim, emptyHead, type Ending, EVENT_ID_STRIDE, goesByTime, NOTHING_DONE, type RunLimits } from '../../../lib/jobs/lifecycle.js';
import { statusOf } from '../../../lib/jobs/status.js';
import { afterVerb, retried } from '../../../lib/jobs/verbs.js';

const now = new Date('2026-06-01T12:00:00Z');
const limits: RunLimits = { maxFailures: 3, maxPreemptions: null, startAfter: null, startBefore: null };
const claimant = { attempt: 'a1', worker: 'wrk_x', now, displaced: NOTHING_DONE };
const want = (verb: WantVerb): Head['want'] => ({ verb, seq: 1, cause: 'user' });
const owned = (): Head => claimed(emptyHead(), claimant);
const notice: Ending = { kind: 'stopped', reason: 'preempted_notice', message: 'notice' };

describe('claiming', () => {
  test('raises fence and attempt number, opens the state, counts the claim and jumps the event ids', () => {
    const head = owned();
    expect(head).toMatchObject({ fence: 1, attempt: 'a1', state: 'open', counters: { attempts: 1, kills_since_commit: 1 }, owner: { number: 1, worker: 'wrk_x', resumed_at: 0 } });
    expect(head.events[0]!.id).toBe(EVENT_ID_STRIDE + 1);
    const second = claimed(head, { ...claimant, attempt: 'a2' });
    expect(second.events.map(({ id }) => id)).toEqual([EVENT_ID_STRIDE + 1, 2 * EVENT_ID_STRIDE + 1, 2 * EVENT_ID_STRIDE + 2]);
    expect(second.counters).toMatchObject({ attempts: 2, kills_since_commit: 2, preemptions: 0, restarts: 1, losses: 1 });
  });

  test('counts what an owner that vanished trained, and how long it lived, up to its last sign of life', () => {
    const first = claimed(emptyHead(), claimant);
    const later = new Date(now.getTime() + 100_000);
    const { counters } = claimed(first, { ...claimant, attempt: 'a2', now: later, displaced: { ...NOTHING_DONE, executedMicroBatches: 30, executedSeconds: 60, wastedMicroBatches: 5, wastedSeconds: 10, silentMs: 9_000 } });
    expect(counters).toMatchObject({ attempt_seconds: 91, executed_micro_batches: 30, executed_seconds: 60, wasted_micro_batches: 5, wasted_seconds: 10, losses: 1 });
  });

  test.each<[string, Partial<Head>, boolean, string]>([
    ['an open job', {}, false, 'claim'],
    ['a live owner is never displaced', { owner: owned().owner }, true, 'held'],
    ['a dead owner is', { owner: owned().owner }, false, 'claim'],
    ['a terminal job', { state: 'succeeded' }, false, 'terminal'],
    ['a job that is to be cancelled', { want: want('cancel') }, false, 'finish'],
    ['a job that is to be paused', { want: want('pause') }, false, 'finish'],
    ['a paused job', { want: want('pause'), state: 'paused' }, false, 'held'],
    ['a paused job that is to run', { want: want('run'), state: 'paused' }, false, 'claim'],
    ['a crash loop', { counters: { ...emptyHead().counters, kills_since_commit: CRASH_LOOP_LIMIT } }, false, 'finish'],
  ])('%s: %#', (_name, part, live, decision) => {
    expect(decideClaim({ ...emptyHead(), ...part }, null, live, limits, now).kind).toBe(decision);
  });

  test('a ticket of another gen or an older fence is stale', () => {
    const head = { ...emptyHead(), gen: 1, fence: 4 };
    for (const [gen, fence, kind] of [[0, 4, 'stale'], [2, 4, 'stale'], [1, 3, 'stale'], [1, 4, 'claim'], [1, 5, 'claim']] as const) expect(decideClaim(head, { job: 'j', gen, fence }, false, limits, now).kind).toBe(kind);
  });

  test('a job that did not start in time expires, one that did does not', () => {
    const late = { ...limits, startBefore: '2026-06-01T11:00:00.000Z' };
    expect(decideClaim(emptyHead(), null, false, late, now)).toMatchObject({ kind: 'finish', state: 'expired', reason: 'start_expired' });
    expect(decideClaim({ ...emptyHead(), started_at: '2026-06-01T10:00:00.000Z' }, null, false, late, now).kind).toBe('claim');
    expect(decideClaim(retried({ ...emptyHead(), state: 'expired' }, 0, now)!, null, false, late, now).kind).toBe('claim');
  });

  test('a job whose time has not come is left, unless it has started or is not wanted any more', () => {
    const startsAt = new Date('2026-06-01T12:00:00.001Z');
    const early = { ...limits, startAfter: startsAt.toISOString() };
    expect(decideClaim(emptyHead(), null, false, early, now)).toEqual({ kind: 'early', startsAt });
    expect(decideClaim(emptyHead(), null, false, early, startsAt).kind).toBe('claim');
    expect(decideClaim({ ...emptyHead(), started_at: '2026-06-01T10:00:00.000Z' }, null, false, early, now).kind).toBe('claim');
    expect(decideClaim({ ...emptyHead(), want: want('cancel') }, null, false, early, now)).toMatchObject({ kind: 'finish', state: 'cancelled' });
    expect(decideClaim(retried({ ...emptyHead(), state: 'cancelled' }, 0, now)!, null, false, early, now).kind).toBe('early');
  });

  test.each<[string, Partial<Head>, Partial<RunLimits>, boolean]>([
    ['one that may start at any time', {}, {}, false],
    ['one that is not to start yet', {}, { startAfter: now.toISOString() }, true],
    ['one that may be too late', {}, { startBefore: now.toISOString() }, true],
    ['one that has started', { started_at: now.toISOString() }, { startBefore: now.toISOString() }, false],
    ['one that is to be cancelled', { want: want('cancel') }, { startBefore: now.toISOString() }, false],
    ['one that is over', { state: 'expired' }, { startBefore: now.toISOString() }, false],
  ])('whether the time decides about a job: %s', (_name, part, more, decides) => {
    expect(goesByTime({ ...emptyHead(), ...part }, { ...limits, ...more })).toBe(decides);
  });
});

describe('an attempt’s end', () => {
  const cases: [Ending, WantVerb, HeadState][] = [
    [notice, 'run', 'open'],
    [notice, 'pause', 'paused'],
    [notice, 'cancel', 'cancelled'],
    [{ kind: 'killed', reason: 'preempted_kill', message: '' }, 'run', 'open'],
    [{ kind: 'completed', result: {} as never }, 'run', 'succeeded'],
    [{ kind: 'completed', result: {} as never }, 'pause', 'paused'],
    [{ kind: 'completed', result: {} as never }, 'cancel', 'cancelled'],
    [{ kind: 'failed', reason: 'trainer_crashed', error: { code: 'trainer_crashed', message: '', param: null }, retryable: true }, 'run', 'open'],
    [{ kind: 'failed', reason: 'invalid_data', error: { code: 'invalid_data', message: '', param: null }, retryable: false }, 'run', 'failed'],
    [{ kind: 'failed', reason: 'invalid_data', error: { code: 'invalid_data', message: '', param: null }, retryable: false }, 'pause', 'failed'],
    [{ kind: 'stopped', reason: 'max_duration', message: '' }, 'run', 'failed'],
  ];
  test.each(cases)('%o under %s: %s', (ending, verb, state) => {
    const head = attemptEnded({ ...owned(), want: want(verb) }, ending, NOTHING_DONE, limits, now);
    expect(head.state).toBe(state);
    expect(head.owner).toBeNull();
    expect(head.attempt, 'kept, so that an unanswered write can be recognised').toBe('a1');
    expect(head.finished_at === null).toBe(state === 'open' || state === 'paused');
  });

  test('an orderly end takes its claim back from the crash-loop count, a kill does not', () => {
    expect(attemptEnded(owned(), notice, NOTHING_DONE, limits, now).counters.kills_since_commit).toBe(0);
    expect(attemptEnded(owned(), { kind: 'killed', reason: 'preempted_kill', message: '' }, NOTHING_DONE, limits, now).counters.kills_since_commit).toBe(1);
    expect([notice, { kind: 'killed', reason: 'preempted_kill', message: '' } as const].map((ending) => attemptEnded(owned(), ending, NOTHING_DONE, limits, now).counters.losses)).toEqual([0, 1]);
  });

  test('failures are retried max_failures times, preemptions without limit unless there is one', () => {
    const failing: Ending = { kind: 'failed', reason: 'oom', error: { code: 'oom', message: 'too big', param: null }, retryable: true };
    let head = owned();
    for (let n = 1; n <= 3; n++) {
      head = attemptEnded(head, failing, NOTHING_DONE, limits, now);
      expect(head.state).toBe('open');
      head = claimed(head, claimant);
    }
    expect(attemptEnded(head, failing, NOTHING_DONE, limits, now)).toMatchObject({ state: 'failed', reason: 'max_failures', error: { code: 'oom' } });
    expect(attemptEnded(owned(), notice, NOTHING_DONE, { ...limits, maxPreemptions: 0 }, now)).toMatchObject({ state: 'failed', reason: 'max_preemptions' });
  });
});

describe('three counts of ended attempts', () => {
  const strict = { ...limits, maxFailures: 0, maxPreemptions: 0 };
  const killed = (reason: 'preempted_kill' | 'trainer_crashed' | 'server_shutdown'): Ending => ({ kind: 'killed', reason, message: reason });
  const stopped = (reason: 'preempted_notice' | 'server_shutdown' | 'engine_unavailable'): Ending => ({ kind: 'stopped', reason, message: reason });
  test.each<[string, Ending, [failures: number, preemptions: number, restarts: number], HeadState, string]>([
    ['a notice', stopped('preempted_notice'), [0, 1, 0], 'failed', 'max_preemptions'],
    ['a kill', killed('preempted_kill'), [0, 1, 0], 'failed', 'max_preemptions'],
    ['a crash', killed('trainer_crashed'), [1, 0, 0], 'failed', 'max_failures'],
    ['a shutdown', stopped('server_shutdown'), [0, 0, 1], 'open', 'server_shutdown'],
    ['a shutdown that ran out of time', killed('server_shutdown'), [0, 0, 1], 'open', 'server_shutdown'],
    ['another kind of worker', stopped('engine_unavailable'), [0, 0, 0], 'open', 'engine_unavailable'],
  ])('%s is one of its own kind', (_name, ending, [failures, preemptions, restarts], state, reason) => {
    expect(attemptEnded(owned(), ending, NOTHING_DONE, strict, now)).toMatchObject({ state, reason, counters: { failures, preemptions, restarts } });
  });

  test('a worker that vanishes, as often as it may, uses up neither limit', () => {
    let head = owned();
    for (let n = 1; n <= 20; n++) head = claimed({ ...head, counters: { ...head.counters, kills_since_commit: 0 } }, claimant);
    expect(head.counters).toMatchObject({ failures: 0, preemptions: 0, restarts: 20 });
    expect(decideClaim(head, null, false, strict, now).kind).toBe('claim');
  });

  test('crashes are retried as often as failures, and say what it was in the end', () => {
    let head = owned();
    for (let n = 1; n <= 3; n++) head = claimed(attemptEnded(head, killed('trainer_crashed'), NOTHING_DONE, limits, now), claimant);
    expect(head.state).toBe('open');
    expect(attemptEnded(head, killed('trainer_crashed'), NOTHING_DONE, limits, now)).toMatchObject({ state: 'failed', reason: 'max_failures', error: { code: 'trainer_crashed' } });
  });
});

describe('verbs', () => {
  const verbs = ['pause', 'resume', 'cancel', 'kill'] as const;
  /** What each verb makes of each want; null: nothing to do; 409: refused. */
  const table: Record<WantVerb, (WantVerb | null | 409)[]> = {
    run: ['pause', null, 'cancel', 'kill'],
    pause: [null, 'run', 'cancel', 'kill'],
    cancel: [409, 409, null, 'kill'],
    kill: [409, 409, null, null],
  };
  const say = (head: Head, verb: (typeof verbs)[number]): WantVerb | null | 409 => {
    try {
      return afterVerb(head, verb, 'user')?.want.verb ?? null;
    } catch (error) {
      if (isAppError(error, 'invalid_state')) return 409;
      throw error;
    }
  };
  test.each(Object.entries(table))('while %s is wanted', (verb, outcomes) => {
    expect(verbs.map((said) => say({ ...emptyHead(), want: want(verb as WantVerb) }, said))).toEqual(outcomes);
  });
  test('of a terminal job only repeating a cancel is no error', () => {
    for (const state of ['succeeded', 'failed', 'expired'] as const) expect(verbs.map((verb) => say({ ...emptyHead(), state }, verb))).toEqual([409, 409, 409, 409]);
    expect(verbs.map((verb) => say({ ...emptyHead(), state: 'cancelled', want: want('cancel') }, verb))).toEqual([409, 409, null, null]);
  });
  test('retry starts the next gen with clean counters, and only once', () => {
    const failed: Head = { ...owned(), owner: null, state: 'failed', counters: { ...owned().counters, failures: 4, preemptions: 2, restarts: 3 } };
    const again = retried(failed, 0, now)!;
    expect(again).toMatchObject({ gen: 1, state: 'open', want: { verb: 'run' }, error: null, counters: { failures: 0, preemptions: 0, restarts: 0, kills_since_commit: 0, attempts: 1 } });
    expect(retried(again, 0, now)).toBeNull();
    expect(() => retried({ ...failed, state: 'succeeded' }, 0, now)).toThrow(/cannot retry/);
  });
});

describe('status', () => {
  const head = (part: Partial<Head>): Head => ({ ...emptyHead(), ...part });
  const { owner } = owned();
  test.each<[string, Head, Parameters<typeof statusOf>[1], string]>([
    ['nobody has it', head({}), 'unknown', 'queued'],
    ['a live owner', head({ owner }), 'running', 'running'],
    ['a starting owner', head({ owner }), 'starting', 'starting'],
    ['a silent owner', head({ owner }), 'silent', 'recovering'],
    ['Redis away', head({ owner }), 'unknown', 'running'],
    ['pause, owner at work', head({ owner, want: want('pause') }), 'running', 'pausing'],
    ['pause, nobody has it', head({ want: want('pause') }), 'unknown', 'paused'],
    ['cancel, owner at work', head({ owner, want: want('cancel') }), 'running', 'cancelling'],
    ['cancel, nobody has it', head({ want: want('cancel') }), 'unknown', 'cancelled'],
    ['paused', head({ state: 'paused', want: want('pause') }), 'unknown', 'paused'],
    ['paused, to run again', head({ state: 'paused', want: want('run') }), 'unknown', 'queued'],
    ['succeeded', head({ state: 'succeeded' }), 'unknown', 'succeeded'],
  ])('%s', (_name, given, signs, status) => expect(statusOf(given, signs, null, now)).toBe(status));

  test('scheduled until start_after, unless it has started before', () => {
    expect(statusOf(emptyHead(), 'unknown', '2026-06-01T13:00:00.000Z', now)).toBe('scheduled');
    expect(statusOf(emptyHead(), 'unknown', '2026-06-01T11:00:00.000Z', now)).toBe('queued');
    expect(statusOf({ ...emptyHead(), started_at: now.toISOString() }, 'unknown', '2026-06-01T13:00:00.000Z', now)).toBe('queued');
  });
});
