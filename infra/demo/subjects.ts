// What the demo may train: the digits it comes with, or Fashion-MNIST, whose files are found or fetched first.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobSpecInput } from '../../lib/contract/spec.js';
import { ACCUM_ITERS, BATCH_SIZE, recipe } from './recipe.js';

export interface Subject {
  /** For people. */
  what: string;
  batchSize: number;
  accumIters: number;
  /** Null: as many as take some seconds on this machine. */
  epochs: number | null;
  /** Whether a cut has to hit the inside of a window: a larger network's windows run as a whole, and a notice waits for their end. */
  insideWindows: boolean;
  /** That the validation has to reach; null: any. */
  accuracy: number | null;
  /** The folder with its data; null: it needs none. */
  dataRoot: string | null;
  spec(name: string, epochs: number): JobSpecInput;
}

/** No multiple of a window, so that what was killed goes on inside of one. */
const COMMIT_EVERY = 251;
const root = join(import.meta.dirname, '../../..');

export const SUBJECTS: Readonly<Record<string, () => Promise<Subject>>> = {
  digits: () => Promise.resolve({ what: 'the digits', batchSize: BATCH_SIZE, accumIters: ACCUM_ITERS, epochs: null, insideWindows: true, accuracy: null, dataRoot: null, spec: recipe }),
  'fashion-mnist': async () => {
    const dataRoot = await fashionMnist();
    const job = JSON.parse(await readFile(join(root, 'docs/examples/fashion-mnist.json'), 'utf8')) as JobSpecInput;
    const { batch_size: batchSize = 32, accum_iters: accumIters = 1, epochs } = job.training ?? {};
    return { what: 'Fashion-MNIST', batchSize, accumIters, epochs: epochs ?? 1, insideWindows: false, accuracy: 0.9, dataRoot, spec: (name) => ({ ...job, name, checkpoint: { every_micro_batches: COMMIT_EVERY } }) };
  },
};

async function fashionMnist(): Promise<string> {
  const child = fork(join(root, 'infra/setup/fashion-mnist.mjs'), [], { stdio: 'inherit' });
  const [told] = (await Promise.race([once(child, 'message'), once(child, 'close').then(() => [null])])) as [{ folder: string } | null];
  if (told === null) throw new Error('Fashion-MNIST is not to be had here; what is said above tells why');
  return told.folder;
}
