// A comparator (../rounds.ts) that is the engine alone: it compiles a job's program as a trainer does and runs blocks of
// micro-batches that were gathered beforehand. No cursor, no rows, no messages, no snapshots: what is left is the arithmetic.
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { resolveSpec } from '../../../lib/jobs/spec/resolve.js';
import { totalUpdates } from '../../../lib/training/course.js';
import { afterStep, planStep } from '../../../lib/training/cursor.js';
import { makeLearningRate } from '../../../lib/training/learning-rate.js';
import { gatherInputs } from '../../../worker/supervisor/inputs.js';
import type { Batch, BlockResult, Window } from '../../../worker/trainer/engines/index.js';
import { loadTensorflow } from '../../../worker/trainer/engines/load.js';
import type { Training } from '../../../worker/trainer/loop.js';
import { prepare } from '../../../worker/trainer/prepare.js';

interface Request {
  do: 'prepare' | 'round';
  loop: number;
  spec: JobSpecInput;
  seconds: number;
}

const SETTLE_SECONDS = 0.5;

/** The whole windows of the first epoch. */
async function gather({ spec, course, batches, start }: Training): Promise<Batch[]> {
  const gathered: Batch[] = [];
  for (let cursor = start.cursor, step = planStep(cursor, course); step === 'micro_batch' || step === 'update'; step = planStep(cursor, course)) {
    if (step === 'micro_batch') gathered.push(...(await batches.training([cursor])));
    cursor = afterStep(cursor, step, course);
  }
  return gathered.slice(0, gathered.length - (gathered.length % spec.training.accum_iters));
}

function assertFinite({ finite }: BlockResult): void {
  if (!finite) throw new Error('the loss is not finite');
}

/** @returns a function that runs windows for so many seconds, and goes on where it stopped */
async function makeLoop(input: JobSpecInput): Promise<(seconds: number) => { samples: number; seconds: number }> {
  const resolved = resolveSpec(input);
  if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
  const { spec } = resolved;
  const { data } = await gatherInputs(spec, { places: { roots: [], buckets: null }, memoryBytes: 2 ** 30 }, { hold: null, signal: new AbortController().signal });
  const { training } = await prepare({ type: 'start', attempt: 'bare', spec, data, initFile: null, resume: null, parts: 1, memoryBytes: null, lifetimeMs: 3_600_000, pauseAt: null, spoolDir: '' }, await engine);
  const { program } = training;
  const batches = await gather(training);
  const { accum_iters: accumIters, batch_size: batchSize } = spec.training;
  const learningRate = makeLearningRate(spec.training, totalUpdates(training.course));
  let update = 0;
  let position = 0;

  /** As many windows as the program takes at a time; how many those were. */
  function runWindows(): number {
    const count = program.blockLimit < accumIters ? 1 : program.windowLimit;
    const windows = Array.from({ length: count }, () => {
      const window = batches.slice(position, position + accumIters);
      position = (position + accumIters) % batches.length;
      return { batches: window, update: { update, divisor: accumIters, learningRate: learningRate(update++) } };
    });
    if (count > 1) program.runWindows(windows).forEach(assertFinite);
    else runInBlocks(windows[0]!);
    return count;
  }
  function runInBlocks({ batches: window, update: numbers }: Window): void {
    for (let from = 0; from < accumIters; ) {
      const block = window.slice(from, from + program.blockLimit);
      from += block.length;
      assertFinite(program.runBlock(block, from === accumIters ? numbers : null));
    }
  }
  return (seconds) => {
    const began = performance.now();
    let windows = 0;
    do {
      windows += runWindows();
    } while (performance.now() - began < seconds * 1_000);
    return { samples: windows * accumIters * batchSize, seconds: (performance.now() - began) / 1_000 };
  };
}

const answer = (value: object): void => void writeSync(3, `${JSON.stringify(value)}\n`);

const engine = loadTensorflow(process.env);
const loops = new Map<number, Awaited<ReturnType<typeof makeLoop>>>();
// Ctrl-C is for whoever started this process: it closes our input.
process.on('SIGINT', () => undefined);
answer({ versions: { engine: (await engine).numerics } });
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as Request;
  try {
    if (request.do === 'prepare') {
      loops.set(request.loop, await makeLoop(request.spec));
      answer({});
    } else {
      loops.get(request.loop)!(SETTLE_SECONDS);
      answer(loops.get(request.loop)!(request.seconds));
    }
  } catch (error) {
    answer({ error: (error as Error).message });
  }
}
process.exit(0);
