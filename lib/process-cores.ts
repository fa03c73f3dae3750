// How many cores this process may use.
import { availableParallelism } from 'node:os';
import { groupFolders, readSystemFile, type ReadSystemFile } from './control-groups.js';

/** The cores it may run on, or the limit of processor time of its control groups if that is less, rounded up: Node.js 20 does not ask for it. */
export function processCores(cores: number = availableParallelism(), read: ReadSystemFile = readSystemFile): number {
  const limits = groupFolders('cpu', read).flatMap(({ version, folders }) => folders.map((folder) => limitOf(version, folder, read)));
  return Math.max(1, Math.ceil(Math.min(cores, ...limits)));
}

/** Of a single group, in cores; Infinity: none. */
function limitOf(version: 1 | 2, folder: string, read: ReadSystemFile): number {
  const [quota, period] = (version === 2 ? (read(`${folder}/cpu.max`) ?? '').split(' ') : [read(`${folder}/cpu.cfs_quota_us`), read(`${folder}/cpu.cfs_period_us`)]).map(Number);
  // `max` and -1: none
  return quota! > 0 && period! > 0 ? quota! / period! : Infinity;
}
