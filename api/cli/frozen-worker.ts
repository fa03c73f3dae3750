// Freezing a worker of this machine, with the trainers that it forked, as a suspended machine would: SIGSTOP now, SIGCONT later.
// Only of processes that are Pawl's workers; what was stopped is let go on whatever happens.
import { hostname } from 'node:os';
import type { WorkerView } from '../../lib/contract/calls.js';
import { childrenOf, readProc } from '../../lib/process-files.js';

/** @returns why it cannot be done, or what lets it go on */
export async function freezeWorker(worker: WorkerView): Promise<(() => void) | string> {
  if (process.platform !== 'linux') return 'processes can be frozen on Linux only';
  if (worker.host !== hostname()) return `its worker is on ${worker.host}, not on this machine`;
  const command = await readProc(worker.pid, 'cmdline');
  if (!/worker\/main\.js/.test(command)) return `process ${worker.pid} is not its worker`;
  const stopped: number[] = [];
  const thaw = (): void => {
    process.removeListener('exit', thaw);
    for (const pid of stopped.splice(0)) signal(pid, 'SIGCONT');
  };
  process.once('exit', thaw);
  try {
    // The supervisor first: it must not see its trainer stand still.
    for (const pid of [worker.pid, ...(await childrenOf(worker.pid))]) if (signal(pid, 'SIGSTOP')) stopped.push(pid);
    if (!(await isStopped(worker.pid))) throw new Error(`process ${worker.pid} did not stop`);
  } catch (error) {
    thaw();
    return (error as Error).message;
  }
  return thaw;
}

/** A stop takes effect a moment after its signal. */
async function isStopped(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    if (/^State:\s+T/m.test(await readProc(pid, 'status'))) return true;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}

function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
