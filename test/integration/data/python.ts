// A Python of our own with pinned numpy and safetensors, made once in the user's cache folder. Without python3, venv or pip
// the tests that need it are skipped, and say so; with REQUIRE_PYTHON=1 they fail instead.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const REQUIREMENTS = ['numpy==2.2.6', 'safetensors==0.6.2'];
const MINUTES = 60_000;

/** The interpreter, or null where there can be none (said on stderr). Throws with REQUIRE_PYTHON=1 instead. */
export async function preparePython(): Promise<string | null> {
  try {
    return await makeEnvironment();
  } catch (error) {
    const message = `no Python with ${REQUIREMENTS.join(' and ')}: ${(error as Error).message.trim()}`;
    if (process.env['REQUIRE_PYTHON'] === '1') throw new Error(message, { cause: error });
    process.stderr.write(`\nSKIPPED: tests against Python's own readers and writers are not run; ${message}\n\n`);
    return null;
  }
}

async function makeEnvironment(): Promise<string> {
  const { stdout: version } = await run('python3', ['-c', 'import sys; print(sys.version)'], { timeout: MINUTES });
  const key = createHash('sha256').update(JSON.stringify([version, REQUIREMENTS])).digest('hex').slice(0, 16);
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'pawl');
  const folder = join(cache, `python-${key}`);
  const python = join(folder, 'bin', 'python');
  if (!existsSync(python)) {
    const unfinished = `${folder}.${process.pid}`; // an environment is there whole or not at all
    await mkdir(cache, { recursive: true });
    try {
      await run('python3', ['-m', 'venv', unfinished], { timeout: 2 * MINUTES });
      await run(join(unfinished, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '--only-binary', ':all:', '--no-deps', ...REQUIREMENTS], { timeout: 5 * MINUTES });
      await rename(unfinished, folder).catch((error: unknown) => {
        if (!existsSync(python)) throw error; // another process was faster
      });
    } finally {
      await rm(unfinished, { recursive: true, force: true });
    }
  }
  await run(python, ['-c', 'import numpy, safetensors.numpy'], { timeout: MINUTES });
  return python;
}

/** Runs a script of this folder; its standard output is one JSON document. */
export async function runPython(python: string, script: string, ...args: string[]): Promise<unknown> {
  const { stdout } = await run(python, [new URL(script, import.meta.url).pathname, ...args], { maxBuffer: 64 * 1024 * 1024, timeout: 2 * MINUTES });
  return JSON.parse(stdout) as unknown;
}
