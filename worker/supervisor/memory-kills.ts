// Whether the kernel ends processes for want of memory, and which it takes first: a trainer that is killed by it looks like any other
// SIGKILL.
import { readFileSync, writeFileSync } from 'node:fs';

/**
 * How often that happened so far in this process's control group, else on this machine; null where neither is told.
 * https://docs.kernel.org/admin-guide/cgroup-v2.html (memory.events), https://docs.kernel.org/admin-guide/cgroup-v1/memory.html (memory.oom_control)
 */
export function countMemoryKills(read: (path: string) => string | null = readOrNull): number | null {
  for (const path of [...groupFiles(read('/proc/self/cgroup') ?? ''), '/proc/vmstat']) {
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

/** The files of this process's group, from /proc/self/cgroup; inside a container the group's path may be that of the host. */
function groupFiles(groups: string): string[] {
  const v1 = /^\d+:[^:]*\bmemory\b[^:]*:(.*)$/m.exec(groups)?.[1];
  const v2 = /^0::(.*)$/m.exec(groups)?.[1];
  return [
    ...(v1 === undefined ? [] : [`/sys/fs/cgroup/memory${v1}/memory.oom_control`, '/sys/fs/cgroup/memory/memory.oom_control']),
    ...(v2 === undefined ? [] : [`/sys/fs/cgroup${v2}/memory.events`, '/sys/fs/cgroup/memory.events']),
  ];
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
