// A job's share of the machine's memory: its data has some of it, and its micro-batches what is left.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ResolvedSource } from '../../../lib/data/source.js';
import { estimateMemory } from '../../../lib/model/memory.js';
import { planModel } from '../../../lib/model/plan-model.js';
import type { CompiledProgram, Engine, Program } from '../../../worker/trainer/engines/index.js';
import { failureOf } from '../../../worker/trainer/failures.js';
import { engineShare } from '../../../worker/trainer/memory-check.js';
import { prepare } from '../../../worker/trainer/prepare.js';
import { resolved } from '../../resume/support/run-training.js';
import { makeTempDir } from '../../support/temp.js';
import { npyOf, zipOf } from '../data/npz-files.js';
import { makeToyProgram } from './support/toy-program.js';

const SHAPE = [16, 16, 3] as const;
const SAMPLES = 512;
const spec = resolved({
  data: { type: 'npz', path: 'set.npz' },
  model: { layers: [{ type: 'conv2d', filters: 8, kernel_size: 3 }, { type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }] },
  training: { batch_size: 64, accum_iters: 8 },
});
const planned = planModel(spec.model.layers, SHAPE, { classes: 10 });
if ('problems' in planned) throw new Error(JSON.stringify(planned.problems));
const needs = (lanes: number): number => estimateMemory(planned.plan, 64, spec.training, lanes);
const X_BYTES = SAMPLES * SHAPE[0] * SHAPE[1] * SHAPE[2];
/** In memory labels are int32. */
const DATA_BYTES = X_BYTES + SAMPLES * 4;

/** How many lanes a trainer settles at, or why it does not begin, with so much memory for the job and, of that, for its data. */
async function lanes(shareBytes: number, { dataBytes = Infinity, engineBytes = Infinity }: { dataBytes?: number; engineBytes?: number | null } = {}): Promise<number | string> {
  const dir = await makeTempDir('memory-share');
  onTestFinished(dir.remove);
  const path = join(dir.path, 'set.npz');
  const y = Uint8Array.from({ length: SAMPLES }, (_, i) => i % 10);
  await writeFile(path, zipOf([{ name: 'x.npy', data: npyOf({ descr: '|u1', shape: [SAMPLES, ...SHAPE], data: new Uint8Array(X_BYTES) }) }, { name: 'y.npy', data: npyOf({ descr: '|u1', shape: [SAMPLES], data: y }) }]));
  let most = 0;
  const compiled: CompiledProgram = { ...makeToyProgram(), snapshot: () => ({ names: [], read: () => expect.fail('nothing is read'), dispose: () => undefined }) };
  const compile = (program: Program): CompiledProgram => {
    most = program.lanes.most;
    return compiled;
  };
  const engine: Engine = { name: 'wasm', device: 'none', numerics: 'toy', memoryBytes: engineBytes, compile, liveTensors: () => 0 };
  const train: ResolvedSource = { type: 'npz', path, x: 'x', y: 'y' };
  const data = { train, validation: null, memoryBytes: dataBytes };
  try {
    const { training } = await prepare({ type: 'start', attempt: 'a', spec, data, initFile: null, resume: null, parts: 1, memoryBytes: shareBytes, lifetimeMs: 3_600_000, pauseAt: null, spoolDir: dir.path }, engine);
    await training.batches.close();
    return most;
  } catch (error) {
    return failureOf(error).code;
  }
}

describe('the lanes of a job', () => {
  test('are those that fit beside the data that is in memory', async () => {
    expect(await lanes(DATA_BYTES + needs(3))).toBe(3);
    expect(await lanes(DATA_BYTES + needs(3) - 1)).toBe(2);
    expect(await lanes(DATA_BYTES + needs(1) - 1)).toBe('oom');
    expect(await lanes(DATA_BYTES)).toBe('oom');
  });

  test('are not fewer for data that stays in its file', async () => {
    expect(await lanes(needs(3), { dataBytes: 0 })).toBe(3);
    expect(await lanes(needs(3) - 1, { dataBytes: 0 })).toBe(2);
  });

  test('are not more than the engine has memory for, and of no concern to a machine’s memory where the engine has its own', async () => {
    expect(await lanes(Infinity, { engineBytes: needs(2) })).toBe(2);
    expect(await lanes(Infinity)).toBe(8);
    expect(await lanes(DATA_BYTES, { engineBytes: null })).toBe(64);
  });
});

test('a share that its data has taken up leaves nothing, and not less', () => {
  expect([engineShare(100, 50, 20), engineShare(100, 200, 20), engineShare(100, 50, 80), engineShare(null, 50, 80)]).toEqual([30, 100, 0, null]);
});
