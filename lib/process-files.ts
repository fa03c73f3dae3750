// What the system tells of a process, on Linux in /proc; of one that is gone, nothing.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** Empty elsewhere than on Linux, too. */
export const readProc = (pid: number, file: string): Promise<string> => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');

export async function childrenOf(pid: number): Promise<number[]> {
  return (await readProc(pid, `task/${pid}/children`)).split(' ').map(Number).filter((child) => child > 0);
}

/** When a process started, as the system tells it; empty if there is none. */
export async function startTime(pid: number): Promise<string> {
  // Linux tells it to the tick; elsewhere ps tells it to the second.
  const stat = await readProc(pid, 'stat');
  if (stat !== '') {
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? '' : (fields[19] ?? '');
  }
  if (process.platform === 'linux') return '';
  return promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(pid)]).then(({ stdout }) => stdout.trim(), () => '');
}
