// The Pythons that test/bench/python/set-up.mjs makes. Those with Keras and PyTorch are used where they are there already, because
// they are too large to be downloaded for a test; the contract fuzzer's is made.
import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface Python {
  /** Runs a script; what it printed. */
  run(script: string, ...args: string[]): Promise<string>;
}

const SET_UP = join(import.meta.dirname, '../bench/python/set-up.mjs');
/** PyTorch's wheel is linked with libraries that are not there: functions that nobody calls must not be looked for when it is loaded. */
const LAZILY = 'import os, runpy, sys; sys.setdlopenflags(os.RTLD_LAZY); del sys.argv[0]; sys.path[0] = os.path.dirname(sys.argv[0]); runpy.run_path(sys.argv[0], run_name="__main__")';
const LAUNCHER = { keras: [], torch: ['-c', LAZILY] };
const LIMIT_MS = 5 * 60_000;

type Library = 'keras' | 'torch' | 'schemathesis';

export interface Interpreter {
  python: string;
  env: Record<string, string>;
}

/** Null, said on stderr, where it is not to be had. Throws with REQUIRE_KERAS=1, REQUIRE_TORCH=1 or REQUIRE_SCHEMATHESIS=1 instead. */
export async function findPython(name: Library): Promise<Interpreter | null> {
  const child = fork(SET_UP, name === 'schemathesis' ? [name] : [name, '--if-installed'], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  const [told] = (await Promise.race([once(child, 'message'), once(child, 'close').then(() => [{ missing: 'its set-up told nothing' }])])) as [Interpreter | { missing: string }];
  if (!('missing' in told)) return told;
  const required = `REQUIRE_${name.toUpperCase()}`;
  if (process.env[required] === '1') throw new Error(`${required}=1, but: ${told.missing}`);
  process.stderr.write(`\nSKIPPED: tests with ${name} are not run: ${told.missing}\n\n`);
  return null;
}

export async function installedPython(name: 'keras' | 'torch'): Promise<Python | null> {
  const told = await findPython(name);
  if (told === null) return null;
  return {
    async run(script, ...args) {
      const env = { ...process.env, ...told.env, KERAS_BACKEND: 'tensorflow', CUDA_VISIBLE_DEVICES: '-1', TF_CPP_MIN_LOG_LEVEL: '2' };
      return (await promisify(execFile)(told.python, ['-B', ...LAUNCHER[name], script, ...args], { env, timeout: LIMIT_MS })).stdout;
    },
  };
}
