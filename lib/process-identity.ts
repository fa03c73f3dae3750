// Which process a file in a shared folder names, and what became of it. The folder may be shared by machines and containers, where a
// number alone says nothing: it is looked up only where it was given.
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { readProc, startTime } from './process-files.js';

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
  const seen = await startTime(pid);
  if (seen === '') return (await isHidden(pid)) ? 'elsewhere' : 'gone';
  return seen === started ? 'running' : 'gone';
}

/** There is one with this number, and the system does not say more of it. */
async function isHidden(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return (await readProc(pid, 'stat')) === '';
}

/** Empty where the system is not Linux. */
async function numbering(): Promise<string> {
  const [boot, space] = await Promise.all([bootId(), readlink('/proc/self/ns/pid').catch(() => '')]);
  return `${boot} ${space}`.trim();
}

/** The kernel's own name for the time since it was started: the same in all containers on it. Empty where the system is not Linux. */
export async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim();
}
