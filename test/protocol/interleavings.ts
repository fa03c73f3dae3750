// The interleavings as a suite, so that two files can run a half each side by side.
import { describe, expect, test } from 'vitest';
import * as commit from '../../lib/jobs/commit.js';
import * as control from '../../lib/jobs/control.js';
import { AppError } from '../../lib/errors.js';
import * as handover from '../../lib/jobs/handover.js';
import * as head from '../../lib/jobs/head.js';
import * as lifecycle from '../../lib/jobs/lifecycle.js';
import * as reconcile from '../../lib/jobs/reconcile.js';
import * as ticket from '../../lib/queue/ticket.js';
import { simulate } from './world.js';

/** In all; `.ci/run` runs 60,000, `npm test` by itself a part of them. */
const ALL_RUNS = Number(process.env['PAWL_PROTOCOL_RUNS'] ?? 4_000);

const protocol = { commit, control, handover, head, lifecycle, reconcile, ticket, AppError };

/** @param half 0 or 1: which half of the seeds */
export function describeProtocol(half: 0 | 1): void {
  const RUNS = Math.ceil(ALL_RUNS / 2);
  // A fault is an exception; nobody reads where from.
  Error.stackTraceLimit = 0;
  describe(`the HEAD protocol, ${half === 0 ? 'first' : 'second'} half`, () => {
    test(`holds its invariants in ${RUNS} random interleavings`, async () => {
      const faults: Record<string, number> = {};
      const ends: Record<string, number> = {};
      let claims = 0;
      let commits = 0;
      let verbs = 0;
      for (let seed = half * RUNS; seed < (half + 1) * RUNS; seed++) {
        const result = await simulate(protocol, seed);
        expect(result.violations, `seed ${seed}`).toEqual([]);
        for (const [fault, count] of Object.entries(result.faults)) faults[fault] = (faults[fault] ?? 0) + count;
        ends[result.finalState] = (ends[result.finalState] ?? 0) + 1;
        claims += result.claims;
        commits += result.commits;
        verbs += result.verbs;
      }
      console.log(JSON.stringify({ runs: RUNS, claims, commits, verbs, ends, faults }));
      for (const fault of ['answer lost after taking effect', 'landed after giving up', 'lost before taking effect', 'a live owner taken for dead', 'ticket lost', 'worker killed', 'frozen', 'Redis emptied']) expect(faults[fault] ?? 0, fault).toBeGreaterThan(RUNS / 50);
      for (const end of ['succeeded', 'cancelled']) expect(ends[end] ?? 0, end).toBeGreaterThan(RUNS / 100);
      expect(claims).toBeGreaterThan(RUNS);
      expect(commits).toBeGreaterThan(RUNS);
      expect(verbs).toBeGreaterThan(RUNS / 4);
    });
  });
}
