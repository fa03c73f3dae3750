// Which machine this is, for telling whether two workers are on the same one: the same for every process on it, in containers too.
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';

/** The kernel's own name for the time since it was started; where it has none, the host's name. */
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

export async function readMachine(): Promise<string> {
  return (await readFile(BOOT_ID, 'utf8').catch(() => '')).trim() || hostname();
}
