// What Linux tells of a process in /proc; of one that is gone, or elsewhere, nothing.
import { readFile } from 'node:fs/promises';

export const readProc = (pid: number, file: string): Promise<string> => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');

export async function childrenOf(pid: number): Promise<number[]> {
  return (await readProc(pid, `task/${pid}/children`)).split(' ').map(Number).filter((child) => child > 0);
}
