import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.js';
import { testsToLeaveOut } from './test/support/tensorflow.js';

/** Tests that start processes run what was compiled. */
const processes = { pool: 'forks' as const, testTimeout: 120_000, hookTimeout: 120_000, globalSetup: ['test/support/global-build.ts'] };

const exclude = testsToLeaveOut();

// Vitest takes one worker on two cores; most files here wait for processes, clocks and disks more than they compute.
const WORKERS = 2;

export default defineConfig({
  test: {
    maxWorkers: WORKERS,
    sequence: { sequencer: LongestFirst },
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 60_000, pool: 'threads' } },
      { test: { name: 'protocol', include: ['test/protocol/**/*.test.ts'], pool: 'threads', testTimeout: 900_000 } },
      { test: { name: 'integration', include: ['test/integration/**/*.test.ts'], exclude, ...processes } },
      // the engine's tests once more, on the other engine: a process has one
      { test: { name: 'wasm', include: ['test/integration/trainer/{gradients,keras,losses,window,regularization,slices,dropout,optimizers,state,weight-average}.test.ts'], env: { PAWL_TEST_ENGINE: 'wasm', PAWL_LANE_ENTRY: join(import.meta.dirname, 'dist/worker/trainer/engines/lanes/lane.js') }, ...processes } },
      { test: { name: 'resume', include: ['test/resume/**/*.test.ts'], exclude, ...processes, testTimeout: 900_000 } },
      { test: { name: 'chaos', include: ['test/chaos/**/*.test.ts'], ...processes, testTimeout: 300_000 } },
    ],
  },
});
