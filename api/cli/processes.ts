// Child processes of the commands that start parts of Pawl: where their compiled entries are, forking one, restarting what
// dies, and ending them in order.
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { AppError, EXIT } from '../../lib/errors.js';
import type { StartFailure } from '../../lib/start-up.js';

/** Compiled entries, beside this file in dist/. */
const root = join(import.meta.dirname, '../..');
export const ENTRIES = {
  api: join(root, 'api/main.js'),
  worker: join(root, 'worker/main.js'),
  controller: join(root, 'worker/controller/main.js'),
} as const;
export type Role = keyof typeof ENTRIES;

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Of a controller, file operations that are under way at a time: with libuv's four (https://docs.libuv.org/en/v1.x/threadpool.html)
 * it would wait for one sync of the disk after another in a second in which many schedules fire;
 * with many more than are busy, each operation wakes one, which costs more than it does.
 */
const CONTROLLER_FILE_THREADS = '12';

const environmentOf = (role: Role, env: Environment): Environment => (role === 'controller' ? { UV_THREADPOOL_SIZE: CONTROLLER_FILE_THREADS, ...env } : { ...env });

/** Runs a role in the foreground: its output is ours, signals pass through, and so does its exit code. */
export async function runRole(role: Role, args: readonly string[], env: Environment): Promise<number> {
  const child = fork(ENTRIES[role], [...args], { env: environmentOf(role, env), stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGINT', pass);
  process.on('SIGTERM', pass);
  const { code, signal } = await exitOf(child);
  process.off('SIGINT', pass);
  process.off('SIGTERM', pass);
  return code ?? (signal === null ? 1 : 128);
}

/** Runs a role to its end: what it prints. @throws AppError with its own words if it fails */
export async function readRole(role: Role, args: readonly string[], env: Environment): Promise<string> {
  const child = fork(ENTRIES[role], [...args], { env: environmentOf(role, { PAWL_LOG_LEVEL: 'error', ...env }), stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  const failures: StartFailure[] = [];
  child.on('message', (message: StartFailure) => message.type === 'failed' && failures.push(message));
  const [output, complaints, { code }] = await Promise.all([text(child.stdout!), text(child.stderr!), exitOf(child)]);
  if (code === EXIT.ok) return output;
  throw new AppError(failures[0]?.code ?? 'internal_error', failures[0]?.message ?? (complaints.trim() || `the ${role} ended with ${code}`));
}

export function exitOf(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve({ code: child.exitCode, signal: child.signalCode });
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: 1, signal: null }));
  });
}

/** A role that is started again whenever it dies. */
export interface Kept {
  readonly role: Role;
  /** Of the process that runs now. */
  pid(): number | null;
  /** Resolves with the role's own message when it first says that it is ready; rejects with AppError if it exits before that, twice or for a reason that will be the same the next time. */
  ready: Promise<Record<string, unknown>>;
  /** Asks it to go, waits, and kills it when the wait is over. */
  end(waitMs: number): Promise<void>;
}

export interface KeepOptions {
  role: Role;
  args: readonly string[];
  env: Environment;
  /** Where its standard error goes. */
  output: number | 'inherit' | 'ignore';
  onRestart(role: Role, why: string): void;
}

/** Pauses between restarts: quick at first, because a killed worker's job is waiting. */
const RESTART_MS = [100, 500, 1_000, 2_000, 5_000];
/** After living this long a process has a clean record again. */
const HEALTHY_MS = 30_000;

export function keepRunning({ role, args, env, output, onRestart }: KeepOptions): Kept {
  let child: ChildProcess;
  let ending = false;
  let deaths = 0;
  let restart: NodeJS.Timeout | undefined;
  let gone: Promise<unknown> = Promise.resolve();
  let announce: (message: Record<string, unknown>) => void;
  let fail: (error: Error) => void;
  let isReady = false;
  let failure: StartFailure | null = null;
  const ready = new Promise<Record<string, unknown>>((resolve, reject) => {
    announce = resolve;
    fail = reject;
  });
  ready.catch(() => undefined);

  function start(): void {
    const born = Date.now();
    // A process group of its own: Ctrl-C is for the parent, which ends its parts in order.
    child = fork(ENTRIES[role], [...args], { env: environmentOf(role, env), stdio: ['ignore', 'ignore', output, 'ipc'], detached: true });
    child.on('message', (message: Record<string, unknown>) => {
      if (message['type'] === 'failed') failure = message as unknown as StartFailure;
      if (message['type'] !== 'ready') return;
      isReady = true;
      announce(message);
    });
    gone = exitOf(child).then(({ code, signal }) => {
      if (ending) return;
      deaths = Date.now() - born > HEALTHY_MS ? 0 : deaths + 1;
      const why = signal ?? `exit code ${code}`;
      if (!isReady && (deaths >= 2 || code === EXIT.usage)) {
        fail(new AppError(failure?.code ?? 'internal_error', `the ${role} does not start: ${failure?.message ?? why}`));
        return;
      }
      onRestart(role, why);
      restart = setTimeout(start, RESTART_MS[Math.min(deaths, RESTART_MS.length) - 1] ?? RESTART_MS[0]);
    });
  }
  start();

  return {
    role,
    ready,
    pid: () => child.pid ?? null,
    end: async (waitMs) => {
      ending = true;
      clearTimeout(restart);
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), waitMs);
      await gone;
      clearTimeout(timer);
    },
  };
}
