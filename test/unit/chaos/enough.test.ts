import { expect, it } from 'vitest';
import { type Achieved, enoughProblems, neverStruck } from '../../chaos/run/invariants/enough.js';
import type { StrikeKind } from '../../chaos/run/kinds.js';
import { makeRun } from '../../chaos/run/state.js';
import { carryOut } from '../../chaos/run/strikes.js';
import type { ChaosSystem } from '../../chaos/run/system.js';

const of = (kind: StrikeKind, planned: number, struck: number) => ({ kind, planned, struck, missed: planned - struck });
const run = (more: Partial<Achieved> = {}): Achieved => ({ strikes: [of('worker-kill', 8, 1), of('drain', 7, 0)], started_by_itself: { sweeps: 1, trials: 6, fires: 3, scheduled_jobs: 1 }, waste: { judged: 30, exempt: { 'store-slow': 20 } }, store: 's3', minutes: 2, ...more });
const problems = (more: Partial<Achieved>, everyMs = 2_000): string => enoughProblems(run(more), everyMs).join('; ');

it('is a run in which what was planned happened', () => {
  expect(problems({})).toBe('');
});

it('is caught where a kind was tried often and never struck, or nothing of all that hits the same', () => {
  expect(problems({ strikes: [of('worker-kill', 8, 0), of('drain', 2, 1)] })).toBe('worker-kill was tried 8 times and never struck');
  expect(neverStruck([of('redis-kill', 3, 0), of('redis-flush', 5, 0)])).toEqual(['anything that hits redis was tried 8 times and never struck']);
  expect(neverStruck([of('redis-kill', 4, 0), of('redis-kill', 4, 0)]), 'of several runs').toContain('redis-kill was tried 8 times and never struck');
});

it('is caught where no sweep ended, and nothing was fired or started', () => {
  expect(problems({ started_by_itself: { sweeps: 0, trials: 0, fires: 3, scheduled_jobs: 1 } })).toContain('no sweep');
  expect(problems({ started_by_itself: { sweeps: 1, trials: 6, fires: 3, scheduled_jobs: 0 } })).toContain('3 fires, and 0 jobs');
  expect(problems({ started_by_itself: { sweeps: 1, trials: 6, fires: 0, scheduled_jobs: 0 }, minutes: 0.2 }), 'too short for a fire').toBe('');
});

it('is caught where hardly any attempt was judged for waste', () => {
  const judged = (count: number, exempt: number) => ({ waste: { judged: count, exempt: { 'store-slow': exempt } } });
  expect(problems({ ...judged(5, 95) })).toContain('of 100 attempts 5 were judged for waste, fewer than 10');
  expect(problems({ ...judged(0, 30) })).toContain('fewer than 1');
  expect(problems({ ...judged(5, 25), store: 'file' })).toContain('fewer than 8');
  expect(problems({ ...judged(0, 10) }), 'so few may all lie where it is struck').toBe('');
  expect(problems({ ...judged(0, 95) }, 600), 'at such a pace there may be none').toBe('');
});

it('a mistake in a strike ends the run; a strike that met what another one had struck is missed', async () => {
  const strike = async (flush: () => Promise<void>) => {
    const abort = new AbortController();
    const said: string[] = [];
    const made = makeRun(1, { redis: { flush } } as unknown as ChaosSystem, abort, (line) => void said.push(line));
    await carryOut(made, [{ number: 0, atMs: 0, kind: 'redis-flush', target: 0, lastsMs: 0, chance: 0 }]);
    expect(made.strikes).toMatchObject([{ struck: false }]);
    expect(said.join()).toContain('missed: it went wrong');
    return abort.signal;
  };
  const mistake = await strike(() => Promise.resolve((undefined as unknown as { length: number }).length).then(() => undefined));
  expect(mistake.reason).toBeInstanceOf(TypeError);
  expect((await strike(() => Promise.reject(new Error('it is away')))).aborted).toBe(false);
});
