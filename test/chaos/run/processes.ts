// The parts of the system as processes that can be struck: each is started again when it dies, and can be frozen and thawed. Knows
// pids of what it started, and signals nothing else.
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '../../../api/cli/package-root.js';
import { childrenOf } from '../../../lib/process-files.js';

export interface PartOptions {
  name: string;
  /** Compiled entry, relative to dist/. */
  entry: string;
  env: Readonly<Record<string, string>>;
  cwd: string;
  /** Where its log goes. */
  logFd: number;
}

export interface Part {
  readonly name: string;
  /** Of the process that runs now; null while there is none. */
  pid(): number | null;
  /** What it said of itself when it was last ready. */
  said(): { worker?: string; url?: string };
  isReady(): boolean;
  isFrozen(): boolean;
  ready(limitMs: number): Promise<void>;
  children(): Promise<number[]>;
  /** False if there is no process, or it is frozen. */
  signal(signal: 'SIGTERM' | 'SIGKILL'): boolean;
  /** Its wall clock, against everybody else's. False if there is no process, or it is frozen. */
  setClock(aheadMs: number): boolean;
  /** Stops it, and those of its children as well. Null if there is no process, or it is frozen already. */
  freeze(children: readonly number[]): (() => void) | null;
  /** For good: asks it to go, waits, kills. */
  end(waitMs: number): Promise<void>;
}

/** Quick at first, because a killed worker's job is waiting. */
const RESTART_MS = [150, 500, 1_000, 2_000];

const SHIFTED_CLOCK = new URL('shifted-clock.js', import.meta.url).href;

export function startPart({ name, entry, env, cwd, logFd }: PartOptions): Part {
  let child: ChildProcess | null = null;
  let ready = false;
  let ending = false;
  let frozen = false;
  let failures = 0;
  let said: { worker?: string; url?: string } = {};
  let restart: NodeJS.Timeout | undefined;
  let gone: Promise<void> = Promise.resolve();

  function start(): void {
    const mine = fork(join(packageRoot(), 'dist', entry), [], { env: { ...env, PAWL_CHAOS_PART: name }, execArgv: ['--import', SHIFTED_CLOCK], cwd, stdio: ['ignore', logFd, logFd, 'ipc'] });
    child = mine;
    ready = false;
    frozen = false;
    mine.on('message', (message: { type?: string; worker?: string; url?: string }) => {
      if (message.type !== 'ready') return;
      ready = true;
      failures = 0;
      said = message;
    });
    gone = new Promise((resolve) => {
      const over = (): void => {
        resolve();
        if (child !== mine) return;
        child = null;
        if (!ready) failures++;
        ready = false;
        if (!ending) restart = setTimeout(start, RESTART_MS[Math.min(failures, RESTART_MS.length - 1)]);
      };
      mine.once('exit', over);
      mine.once('error', over);
    });
  }
  start();

  const pid = (): number | null => child?.pid ?? null;
  return {
    name,
    pid,
    said: () => said,
    isReady: () => ready,
    isFrozen: () => frozen,
    ready: async (limitMs) => {
      for (const until = performance.now() + limitMs; !ready; await new Promise((resolve) => setTimeout(resolve, 20))) {
        if (performance.now() > until) throw new Error(`${name} was not ready within ${limitMs / 1_000} s`);
      }
    },
    children: async () => (child?.pid === undefined ? [] : childrenOf(child.pid)),
    signal: (signal) => child !== null && !frozen && child.kill(signal),
    setClock: (aheadMs) => child !== null && !frozen && child.connected && child.send({ type: 'clock', aheadMs }),
    freeze: (children) => {
      const mine = child;
      if (!mine || frozen || !mine.kill('SIGSTOP')) return null;
      frozen = true;
      const stopped = children.filter((each) => signalChild(each, 'SIGSTOP'));
      return () => {
        for (const each of stopped) signalChild(each, 'SIGCONT');
        if (child === mine) frozen = false;
        mine.kill('SIGCONT');
      };
    },
    end: async (waitMs) => {
      ending = true;
      clearTimeout(restart);
      const mine = child;
      if (!mine) return;
      // A frozen process hears of nothing else.
      mine.kill('SIGCONT');
      mine.kill('SIGTERM');
      const timer = setTimeout(() => mine.kill('SIGKILL'), waitMs);
      await gone;
      clearTimeout(timer);
    },
  };
}

/** A trainer, which a part has forked. False if it has gone. */
export function signalChild(pid: number, signal: 'SIGTERM' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
