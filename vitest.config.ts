import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Tests that start processes run what was compiled. */
const processes = { pool: 'forks' as const, testTimeout: 60_000, hookTimeout: 120_000, globalSetup: ['test/support/global-build.ts'] };

/** Tests of the engine tensorflow. Set-up goes on without it where it cannot be had; a machine that has to have it fails instead. */
const ofTensorflow = ['test/integration/trainer/{dropout,gradients,optimizers,production-entry,self-test,state,trace,window}.test.ts', 'test/integration/system/golden-loss.test.ts', 'test/resume/{matrix-a,matrix-b,reference}.test.ts'];
const withoutTensorflow = !existsSync(join(import.meta.dirname, 'node_modules/@tensorflow/tfjs-node-gpu/deps/ready'));
if (withoutTensorflow) {
  if (process.env['REQUIRE_TENSORFLOW'] === '1') throw new Error('REQUIRE_TENSORFLOW=1, but set-up found no TensorFlow (npm run setup says why)');
  console.warn(`\n*** TENSORFLOW TESTS SKIPPED (npm run setup says why): ${ofTensorflow.join(', ')} ***\n`);
}
const exclude = withoutTensorflow ? ofTensorflow : [];

// vitest takes one worker on two cores; the resume matrix keeps one core waiting most of the time, so it runs with two, after the rest
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 20_000, pool: 'threads' } },
      { test: { name: 'protocol', include: ['test/protocol/**/*.test.ts'], pool: 'threads', testTimeout: 900_000 } },
      { test: { name: 'integration', include: ['test/integration/**/*.test.ts'], exclude, ...processes } },
      // the engine's tests once more, on the other engine: a process has one
      { test: { name: 'wasm', include: ['test/integration/trainer/{gradients,window,dropout,optimizers,state}.test.ts'], env: { PAWL_TEST_ENGINE: 'wasm', PAWL_LANE_ENTRY: join(import.meta.dirname, 'dist/worker/trainer/engines/lanes/lane.js') }, ...processes } },
      { test: { name: 'resume', include: ['test/resume/**/*.test.ts'], exclude, ...processes, testTimeout: 900_000, maxWorkers: 2, sequence: { groupOrder: 1 } } },
      { test: { name: 'chaos', include: ['test/chaos/**/*.test.ts'], ...processes, testTimeout: 300_000, fileParallelism: false } },
    ],
  },
});
