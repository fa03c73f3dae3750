// Which tests need the engine tensorflow, and whether this checkout has it: set-up goes on without it where it cannot be had.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Tests of the trainer and of resumption, but for those of the other engine, which say so in their names. */
const OF_TENSORFLOW = ['test/integration/trainer/!(wasm-*).test.ts', 'test/integration/system/{exported-weights,golden-loss}.test.ts', 'test/resume/!(*-wasm).test.ts'];

/** Patterns of tests to leave out; says so loudly if there are any. With REQUIRE_TENSORFLOW=1 its absence is a failure. */
export function testsToLeaveOut(): string[] {
  if (existsSync(join(import.meta.dirname, '../../node_modules/@tensorflow/tfjs-node-gpu/deps/ready'))) return [];
  const advice = 'this checkout has no TensorFlow (npm run setup says why)';
  if (process.env['REQUIRE_TENSORFLOW'] === '1') throw new Error(`REQUIRE_TENSORFLOW=1, but ${advice}`);
  console.warn(`\n*** TENSORFLOW TESTS SKIPPED: ${advice}: ${OF_TENSORFLOW.join(', ')} ***\n`);
  return OF_TENSORFLOW;
}
