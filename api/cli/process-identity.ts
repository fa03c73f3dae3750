// Which process a file in a data folder names, and what became of it. The folder may be shared by machines and containers, where a
// number alone says nothing: it is looked up only where it was given.
import { execFile } from 'node:child_process';
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { promisify } from 'node:util';

export interface ProcessIdentity {
  pid: number;
  /** As the system tells it, so that another process with the same number is not taken for it. */
  started: string;
  host: string;
  /** Of the host's runs, and of the containers on it: whose process numbers these are. */
  numbering: string;
}

export async function identify(pid: number): Promise<ProcessIdentity> {
  return { pid, started: await startTime(pid), host: hostname(), numbering: await numbering() };
}

/** @returns null for what is none, as a file that was broken off */
export function parseIdentity(text: string, here: ProcessIdentity): ProcessIdentity | null {
  try {
    // Without a host: of a version that knew no other.
    const { pid, started, host = here.host, numbering: number = here.numbering } = JSON.parse(text) as Partial<ProcessIdentity>;
    // The number goes to `kill`, for which 0 and those below are groups of processes.
    return Number.isInteger(pid) && pid! > 0 && typeof started === 'string' && started !== '' ? { pid: pid!, started, host, numbering: number } : null;
  } catch {
    return null;
  }
}

/** `elsewhere`: it cannot be seen from here. */
export async function fateOf({ pid, started, host, numbering: number }: ProcessIdentity): Promise<'running' | 'gone' | 'elsewhere'> {
  if (host !== hostname() || number !== (await numbering())) return 'elsewhere';
  return (await startTime(pid)) === started ? 'running' : 'gone';
}

/** Empty where the system is not Linux. */
async function numbering(): Promise<string> {
  const [boot, space] = await Promise.all([readFile('/proc/sys/kernel/random/boot_id', 'utf8'), readlink('/proc/self/ns/pid')].map((read) => read.catch(() => '')));
  return `${boot!.trim()} ${space}`.trim();
}

/** When a process started; empty if there is none. */
async function startTime(pid: number): Promise<string> {
  // Linux tells it to the tick; elsewhere ps tells it to the second.
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (stat !== null) {
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? '' : (fields[19] ?? '');
  }
  if (process.platform === 'linux') return '';
  return promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(pid)]).then(({ stdout }) => stdout.trim(), () => '');
}
