// Whether the kernel ends processes for want of memory, and which it takes first: a trainer that is killed by it looks like any other
// SIGKILL.
import { writeFileSync } from 'node:fs';
import { groupFolders, readSystemFile, type ReadSystemFile } from '../../lib/control-groups.js';

/**
 * How often that happened so far in this process's control group, else on this machine; null where neither is told.
 * https://docs.kernel.org/admin-guide/cgroup-v2.html (memory.events), https://docs.kernel.org/admin-guide/cgroup-v1/memory.html (memory.oom_control)
 */
export function countMemoryKills(read: ReadSystemFile = readSystemFile): number | null {
  const files = groupFolders('memory', read).flatMap(({ version, folders }) => folders.map((folder) => `${folder}/${version === 2 ? 'memory.events' : 'memory.oom_control'}`));
  for (const path of [...files, '/proc/vmstat']) {
    const count = /^oom_kill (\d+)$/m.exec(read(path) ?? '')?.[1];
    if (count !== undefined) return Number(count);
  }
  return null;
}

/**
 * The kernel takes this process before its supervisor, which may be the larger one by what is counted: with half of all memory on top.
 * Does nothing where there is no such file. https://docs.kernel.org/filesystems/proc.html (oom_score_adj, which anybody may raise)
 */
export function killFirst(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, '500');
  } catch {
    // gone already, or not Linux
  }
}
