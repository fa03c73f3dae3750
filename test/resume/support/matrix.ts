// The proof that everything else serves: a training that is cut anywhere and resumed in a fresh process ends with the
// bytes of the undisturbed one, and passes through its states: weights, slots, accumulator and statistics are compared at
// every snapshot. Cuts are by notice (stop after exactly this micro-batch) and by SIGKILL. A few of them always run;
// PAWL_MATRIX=ci cuts at every micro-batch and in every validation batch, and at some random pairs and triples: the large models
// (A, B) on both engines, the light ones on one of the two each time; PAWL_MATRIX=all at every pair of micro-batches, and at 40
// random pairs and triples more, all on both engines. Attempts alternate between one lane and two. One file a model and engine, so
// that they run side by side.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { chosen, type Cuttable, type Engine, type Extent, kill, notice, show } from './cuts.js';
import { runTraining, type Cut, type RunResult } from './run-training.js';
import { bytesOf, smallNpz } from '../../unit/data/npz-files.js';
import { SPEC_A, SPEC_B, SPEC_C, SPEC_D, SPEC_D_ADAMW, SPEC_E } from './specs.js';

interface Case extends Cuttable {
  spec: JobSpecInput;
  /** Writes the data files into a folder. */
  writeData?(dir: string): Promise<void>;
  /** Windows that the training skips. */
  skippedWindows?: number;
}

export const MODEL_A: Case = {
  name: 'A: adam amsgrad, dropout, batch normalization, validation, carry',
  spec: SPEC_A,
  microBatches: 14,
  validationBatches: 6,
  few: [[notice(4)], [notice(7)], [kill(11)], [{ kind: 'notice', atValidationBatch: 2 }], [notice(2), kill(9), notice(10)]],
};
export const MODEL_B: Case = { name: 'B: nesterov, strides, dilation, flush', spec: SPEC_B, microBatches: 14, validationBatches: 0, few: [[notice(6)], [notice(8)], [kill(12)]] };
export const MODEL_C: Case = { name: 'C: residuals, moving average, binary crossentropy, drop', spec: SPEC_C, microBatches: 14, validationBatches: 4, few: [[notice(5)], [kill(8)], [{ kind: 'notice', atValidationBatch: 1 }]], light: true };

/** 40 samples, one of them beyond what a float32 can add up. */
async function writePoisoned(dir: string): Promise<void> {
  const x = Float32Array.from({ length: 40 * 25 }, (_, index) => (Math.floor(index / 25) === 17 ? 3e38 : Math.sin(index * 7.3)));
  const y = Uint8Array.from({ length: 40 }, (_, sample) => sample % 3);
  await writeFile(join(dir, 'poisoned.npz'), smallNpz({ x: { descr: '<f4', shape: [40, 5, 5], data: bytesOf(x) }, y: { descr: '|u1', shape: [40], data: y } }));
}
export const MODEL_D: Case = { name: 'D: windows that are skipped', spec: SPEC_D, microBatches: 14, validationBatches: 0, few: [[notice(4)], [kill(7)], [notice(10)], [notice(1), kill(6), notice(12)]], writeData: writePoisoned, skippedWindows: 2, light: true };
export const MODEL_D_ADAMW: Case = { ...MODEL_D, name: 'D: windows that are skipped, by adamw', spec: SPEC_D_ADAMW, few: [[notice(5)], [kill(8)], [notice(3), kill(9), notice(13)]] };

export const MODEL_E: Case = { name: 'E: lamb, one cycle, frozen layers, squared errors', spec: SPEC_E, microBatches: 14, validationBatches: 0, few: [[notice(5)], [kill(9)], [notice(2), kill(4), notice(13)]], light: true };

/** What PAWL_MATRIX asks for. */
function extentOf(asked: string | undefined): Extent {
  return asked === 'all' || asked === 'ci' ? asked : 'few';
}

export function describeMatrix(given: Case, engine: Engine): void {
  const { name, spec, microBatches } = given;
  describe(`${name}, on ${engine}`, () => {
    let dir: string;
    let undisturbed: RunResult;
    let runs = 0;
    const every = spec.checkpoint?.every_micro_batches ?? 0;

    async function run(cuts: readonly Cut[], input: JobSpecInput = spec): Promise<RunResult> {
      const own = join(dir, String(runs++));
      await mkdir(own);
      const result = await runTraining({ spec: input, dir: own, dataRoot: dir, cuts, engine, everySnapshot: input !== spec });
      await rm(own, { recursive: true });
      return result;
    }
    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), 'pawl-matrix-'));
      await given.writeData?.(dir);
      undisturbed = await run([], { ...spec, checkpoint: { every_micro_batches: 1 } });
    });
    afterAll(() => rm(dir, { recursive: true, force: true }));

    function expectUndisturbed(result: RunResult, cuts: readonly Cut[]): void {
      expect(result.attempts.map(({ struck }) => struck), 'every fault struck').toEqual([...cuts.map(() => true), null]);
      expect(result.attempts.map(({ ending }) => ending)).toEqual([...cuts.map(({ kind }) => (kind === 'kill' ? 'killed' : 'stopped')), 'done']);
      const { stateFile: _, attempts, states, ...ends } = result;
      const { stateFile: __, attempts: ___, states: undisturbedStates, ...expected } = undisturbed;
      expect(ends).toEqual(expected);
      // Every state it passed through, the open windows' gradients and statistics included.
      expect(states.size).toBeGreaterThan(0);
      for (const [at, files] of states) expect(files, `state after micro-batch ${at}`).toEqual(undisturbedStates.get(at));
      for (const [index, { executed, resumedFrom }] of attempts.slice(0, -1).entries()) {
        const reached = executed.at(-1) ?? resumedFrom;
        // a notice loses nothing; a kill what came after the last snapshot, which was due before the micro-batch it came after
        const before = cuts[index]?.kind === 'kill' && 'at' in cuts[index] ? reached - 1 : reached;
        const kept = cuts[index]?.kind === 'notice' ? reached : Math.max(resumedFrom, Math.floor(before / every) * every);
        expect(attempts[index + 1]?.resumedFrom, `attempt ${index + 2}`).toBe(kept);
      }
    }

    test('the undisturbed training executes every micro-batch once', () => {
      expect(undisturbed.attempts.map(({ executed }) => executed)).toEqual([Array.from({ length: microBatches }, (_, index) => index + 1)]);
      expect(undisturbed.outcome.skippedWindows, 'skipped windows').toBe(given.skippedWindows ?? 0);
    });
    test('a second undisturbed training gives the same bytes', async () => expectUndisturbed(await run([]), []));
    test.each(chosen(given, engine, extentOf(process.env['PAWL_MATRIX'])).map((cuts) => [show(cuts), cuts] as const))('%s', async (_, cuts) => expectUndisturbed(await run(cuts), cuts));
  });
}
