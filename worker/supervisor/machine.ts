// Which machine this is, for telling whether two workers are on the same one: the same for every process on it, in containers too.
import { hostname } from 'node:os';
import { bootId } from '../../lib/process-identity.js';

/** Where the kernel has no name for it, the host's name. */
export async function readMachine(): Promise<string> {
  return (await bootId()) || hostname();
}
