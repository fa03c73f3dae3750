// The proof that everything else serves: a training that is cut anywhere and resumed in a fresh process ends with the
// bytes of the undisturbed one. Cuts are by notice (stop after exactly this micro-batch) and by SIGKILL. A few of them
// always run; PAWL_MATRIX=all cuts at every micro-batch, and at pairs and triples.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runTraining, type Cut, type RunResult } from './support/run-training.js';
import { SPEC_A, SPEC_B } from './support/specs.js';

const ALL = process.env['PAWL_MATRIX'] === 'all';
const KINDS = ['notice', 'kill'] as const;

const CASES = [
  { name: 'A: adam amsgrad, dropout, batch normalization, validation, carry', spec: SPEC_A, microBatches: 14, few: [3, 8] },
  { name: 'B: nesterov, strides, dilation, flush', spec: SPEC_B, microBatches: 14, few: [7, 11] },
];

for (const { name, spec, microBatches, few } of CASES) {
  describe(name, () => {
    let dir: string;
    let undisturbed: RunResult;
    let runs = 0;
    const run = async (cuts: readonly Cut[]): Promise<RunResult> => {
      const own = join(dir, String(runs++));
      await import('node:fs/promises').then(({ mkdir }) => mkdir(own));
      return runTraining({ spec, dir: own, cuts });
    };
    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), 'pawl-matrix-'));
      undisturbed = await run([]);
    });
    afterAll(() => rm(dir, { recursive: true, force: true }));

    const expectSame = (result: RunResult, cuts: readonly Cut[]): void => {
      expect(result.attempts.map(({ struck }) => struck), 'every fault struck').toEqual([...cuts.map(() => true), null]);
      expect(result.attempts.map(({ ending }) => ending)).toEqual([...cuts.map(({ kind }) => (kind === 'kill' ? 'killed' : 'stopped')), 'done']);
      expect(result.stateSha256).toBe(undisturbed.stateSha256);
      expect(result.weightsSha256).toBe(undisturbed.weightsSha256);
      expect(result.updateRows).toEqual(undisturbed.updateRows);
      expect(result.epochRows).toEqual(undisturbed.epochRows);
      expect(result.order).toEqual(undisturbed.order);
      expect(result.outcome).toEqual(undisturbed.outcome);
      // nothing is recomputed after a notice; after a kill at most what lies behind the last snapshot
      const executed = result.attempts.reduce((sum, attempt) => sum + attempt.executed.length, 0);
      if (cuts.every(({ kind }) => kind === 'notice')) expect(executed).toBe(microBatches);
    };

    test('the undisturbed training executes every micro-batch once', () => {
      expect(undisturbed.attempts).toHaveLength(1);
      expect(undisturbed.attempts[0]?.executed).toEqual(Array.from({ length: microBatches }, (_, index) => index + 1));
    });
    test('a second undisturbed training gives the same bytes', async () => expectSame(await run([]), []));

    for (const kind of KINDS) {
      const places = ALL ? Array.from({ length: microBatches }, (_, index) => index + 1) : few;
      test.each(places)(`one ${kind} after micro-batch %i changes nothing`, async (at) => {
        // the last micro-batch's notice comes too late to stop anything: the training is over
        const cuts: Cut[] = [{ kind, at }];
        expectSame(await run(cuts), cuts);
      });
    }
  });
}
