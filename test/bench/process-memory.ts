// What a process holds of memory, as Linux tells it.
import { readFile } from 'node:fs/promises';

/** Resident now. */
export const residentMib = (pid: number): Promise<number> => fieldMib(pid, 'VmRSS');
/** The most that was ever resident. */
export const peakMib = (pid: number): Promise<number> => fieldMib(pid, 'VmHWM');

async function fieldMib(pid: number, field: string): Promise<number> {
  const line = new RegExp(`^${field}:\\s*(\\d+) kB$`, 'm').exec(await readFile(`/proc/${pid}/status`, 'utf8'));
  if (!line) throw new Error(`/proc/${pid}/status tells no ${field}`);
  return Number(line[1]) / 1_024;
}
