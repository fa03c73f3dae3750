import { expect, test } from 'vitest';
import { bestCheckpointMs, expectedLifetimeMs } from '../../../lib/training/checkpoint-interval.js';

const HOUR = 3_600_000;

test('the best interval is the one that costs least by what saving takes', () => {
  // √(2 · 1 s · 3600 s)
  expect(bestCheckpointMs(1_000, HOUR)).toBeCloseTo(84_853, 0);
  expect([bestCheckpointMs(null, HOUR), bestCheckpointMs(1, HOUR), bestCheckpointMs(1e6, HOUR)]).toEqual([5_000, 5_000, 600_000]);
});

test('Young’s interval wastes least in a simulation of saves and losses', () => {
  // Cost per second trained, to first order: saves at δ/τ, and half an interval lost per lifetime.
  const cost = (tauMs: number, saveMs: number, lifetimeMs: number): number => saveMs / tauMs + tauMs / 2 / lifetimeMs;
  const best = bestCheckpointMs(2_000, HOUR);
  for (const other of [0.5, 0.9, 1.1, 2]) expect(cost(best * other, 2_000, HOUR)).toBeGreaterThan(cost(best, 2_000, HOUR));
});

test('a worker is expected to last an hour until losses, or time without them, say otherwise', () => {
  expect(expectedLifetimeMs({ attempt_seconds: 0, losses: 0 })).toBe(HOUR);
  expect(expectedLifetimeMs({ attempt_seconds: 99 * 3_600, losses: 0 })).toBe(100 * HOUR);
  expect(expectedLifetimeMs({ attempt_seconds: 7_200, losses: 11 })).toBe(HOUR / 4);
});
