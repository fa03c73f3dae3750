// The proof that everything else serves: a training that is cut anywhere and resumed in a fresh process ends with the
// bytes of the undisturbed one. Cuts are by notice (stop after exactly this micro-batch) and by SIGKILL. A few of them
// always run; PAWL_MATRIX=all cuts at every micro-batch, in the validations, and at pairs and triples.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobSpecInput } from '../../lib/contract/spec.js';
import { runTraining, type Cut, type RunResult } from './support/run-training.js';
import { SPEC_A, SPEC_B } from './support/specs.js';

interface Case {
  name: string;
  spec: JobSpecInput;
  microBatches: number;
  /** Batches of both validations together. */
  validationBatches: number;
  /** Cuts that always run. */
  few: Cut[][];
}

const notice = (at: number): Cut => ({ kind: 'notice', at });
const kill = (at: number): Cut => ({ kind: 'kill', at });

const CASES: Case[] = [
  {
    name: 'A: adam amsgrad, dropout, batch normalization, validation, carry',
    spec: SPEC_A,
    microBatches: 14,
    validationBatches: 6,
    few: [[notice(4)], [notice(7)], [kill(11)], [{ kind: 'notice', atValidationBatch: 2 }], [notice(2), kill(9), notice(10)]],
  },
  { name: 'B: nesterov, strides, dilation, flush', spec: SPEC_B, microBatches: 14, validationBatches: 0, few: [[notice(6)], [notice(8)], [kill(12)]] },
];

/** Every single cut, every neighbouring pair, and triples across the whole training. */
function all({ microBatches, validationBatches }: Case): Cut[][] {
  const places = Array.from({ length: microBatches }, (_, index) => index + 1);
  const inValidation = Array.from({ length: validationBatches }, (_, index) => index + 1);
  return [
    ...places.map((at) => [notice(at)]),
    ...places.map((at) => [kill(at)]),
    ...inValidation.flatMap((atValidationBatch): Cut[][] => [[{ kind: 'notice', atValidationBatch }], [{ kind: 'kill', atValidationBatch }]]),
    ...places.slice(1).map((at) => [notice(at - 1), notice(at)]),
    ...places.slice(1).map((at) => [kill(at), kill(at)]),
    ...places.slice(2).map((at) => [notice(at - 2), kill(at - 1), notice(at)]),
    ...places.slice(2, 8).map((at) => [notice(at - 2), kill(at + 3), notice(at + 6)]),
  ];
}

const show = (cuts: readonly Cut[]): string => cuts.map((cut) => ('at' in cut ? `${cut.kind} after ${cut.at}` : `${cut.kind} in validation batch ${cut.atValidationBatch}`)).join(', ');

describe.each(CASES)('$name', (given) => {
  const { spec, microBatches } = given;
  let dir: string;
  let undisturbed: RunResult;
  let runs = 0;
  const every = spec.checkpoint?.every_micro_batches ?? 0;

  async function run(cuts: readonly Cut[]): Promise<RunResult> {
    const own = join(dir, String(runs++));
    await mkdir(own);
    const result = await runTraining({ spec, dir: own, cuts });
    await rm(own, { recursive: true });
    return result;
  }
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'pawl-matrix-'));
    undisturbed = await run([]);
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  function expectUndisturbed(result: RunResult, cuts: readonly Cut[]): void {
    expect(result.attempts.map(({ struck }) => struck), 'every fault struck').toEqual([...cuts.map(() => true), null]);
    expect(result.attempts.map(({ ending }) => ending)).toEqual([...cuts.map(({ kind }) => (kind === 'kill' ? 'killed' : 'stopped')), 'done']);
    const { stateFile: _, attempts, ...ends } = result;
    const { stateFile: __, attempts: ___, ...expected } = undisturbed;
    expect(ends).toEqual(expected);
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
  });
  test('a second undisturbed training gives the same bytes', async () => expectUndisturbed(await run([]), []));
  test.each((process.env['PAWL_MATRIX'] === 'all' ? all(given) : given.few).map((cuts) => [show(cuts), cuts] as const))('%s', async (_, cuts) => expectUndisturbed(await run(cuts), cuts));
});
