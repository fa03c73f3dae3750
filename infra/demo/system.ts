// The system that the demo talks to: `pawl up` as a user would start it, on a free port, with a temporary data folder and a
// Redis of its own; and the proof that nothing of it is left.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { childrenOf } from '../../lib/process-files.js';

export interface DemoSystem {
  url: string;
  /** Drains, waits, removes the folder. Throws if a process or the port is left. */
  end(): Promise<void>;
}

const START_MS = 60_000;
const END_MS = 20_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** @param dataRoot where its data lies; null: it has none in files */
export async function startDemoSystem(dataRoot: string | null): Promise<DemoSystem> {
  const folder = await mkdtemp(join(tmpdir(), 'pawl-demo-'));
  const env: Record<string, string | undefined> = { ...process.env, PAWL_DATA_ROOTS: dataRoot ?? folder, PAWL_LOG_LEVEL: 'warn' };
  // The demo's Redis and store are its own, whatever is configured here.
  for (const name of ['REDIS_URL', 'PAWL_STORE', 'PAWL_API_TOKEN', 'PAWL_HOST']) delete env[name];
  const cli = join(import.meta.dirname, '../../api/cli/main.js');
  const child = spawn(process.execPath, [cli, 'up', '--port', '0', '--data', folder], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let complaints = '';
  child.stderr.on('data', (data: Buffer) => (complaints += data.toString()));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  // Its session is its own, so whatever ends the demo has to be passed on: Ctrl-C, and a terminal that is closed.
  let leaving: Promise<never> | null = null;
  const interrupted = (signal: NodeJS.Signals): void => {
    child.kill('SIGINT');
    leaving ??= exitOf(child)
      .then(remove)
      .then(() => process.exit(128 + constants.signals[signal]));
  };
  for (const signal of SIGNALS) process.on(signal, interrupted);
  try {
    const url = await announced(child);
    return {
      url,
      end: async () => {
        if (leaving) return leaving;
        const processes = await descendantsOf(child.pid!);
        for (const signal of SIGNALS) process.off(signal, interrupted);
        child.kill('SIGINT');
        await exitOf(child);
        await remove();
        if (await isListening(url)) throw new Error(`${url} still answers`);
        const left = processes.filter(isAlive);
        if (left.length > 0) throw new Error(`processes of the demo are still running: ${left.join(', ')}`);
      },
    };
  } catch (error) {
    if (leaving) return leaving;
    // It ends what it has started; only then may its folder go, by whose records a part would be found.
    child.kill('SIGINT');
    const timer = setTimeout(() => child.kill('SIGKILL'), END_MS);
    await exitOf(child);
    clearTimeout(timer);
    process.stderr.write(complaints);
    await remove();
    throw error;
  }
}

async function announced(child: ChildProcess): Promise<string> {
  let text = '';
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the system did not start within a minute')), START_MS);
    child.stdout!.on('data', (data: Buffer) => {
      text += data.toString();
      const url = /Pawl is up at (\S+)/.exec(text)?.[1];
      if (!url) return;
      clearTimeout(timer);
      resolve(url);
    });
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`the system did not start (exit code ${code})`));
    });
  });
}

function exitOf(child: ChildProcess): Promise<void> {
  return child.exitCode !== null || child.signalCode !== null ? Promise.resolve() : new Promise((resolve) => child.once('exit', () => resolve()));
}

function isListening(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A process and all that it started, as Linux tells it. */
async function descendantsOf(pid: number): Promise<number[]> {
  return [pid, ...(await Promise.all((await childrenOf(pid)).map(descendantsOf))).flat()];
}
