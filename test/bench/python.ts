// The Python comparators: their environments, made when first wanted (python/set-up.mjs), and their processes.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { packageRoot } from '../../api/cli/package-root.js';
import { type Peer, startPeer } from './peer.js';
import { type Comparator, startComparator } from './rounds.js';
import type { Undo } from './undo.js';

export type Framework = 'keras' | 'torch';
type Environment = Framework | 'optuna';
export const TITLES: Record<Environment, string> = { keras: 'Keras', torch: 'PyTorch', optuna: 'Optuna' };

interface Interpreter {
  python: string;
  env: Record<string, string>;
}

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
