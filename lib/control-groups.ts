// Where the kernel tells what this process's control group may use, and what became of it.
// https://docs.kernel.org/admin-guide/cgroup-v2.html, https://docs.kernel.org/admin-guide/cgroup-v1/index.html
import { readFileSync } from 'node:fs';

/** The text of a file of the kernel's; null where there is none. */
export type ReadSystemFile = (path: string) => string | null;

export interface GroupFolders {
  version: 1 | 2;
  /** From the process's own group up to the root; inside a container the names may be those of the host, where only the last is there. */
  folders: string[];
}

export const readSystemFile: ReadSystemFile = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
};

/** Both versions may be in use at once. Empty where there are no control groups. */
export function groupFolders(controller: 'cpu' | 'memory', read: ReadSystemFile): GroupFolders[] {
  const groups = read('/proc/self/cgroup') ?? '';
  const v1 = new RegExp(`^\\d+:(?:[^:\\n]*,)?${controller}(?:,[^:\\n]*)?:(/.*)$`, 'm').exec(groups)?.[1];
  const v2 = /^0::(\/.*)$/m.exec(groups)?.[1];
  return [
    ...(v1 === undefined ? [] : [{ version: 1 as const, folders: upwards(`/sys/fs/cgroup/${controller}`, v1) }]),
    ...(v2 === undefined ? [] : [{ version: 2 as const, folders: upwards('/sys/fs/cgroup', v2) }]),
  ];
}

function upwards(root: string, path: string): string[] {
  const names = path.split('/').filter((name) => name !== '');
  return names.map((_, depth) => [root, ...names.slice(0, names.length - depth)].join('/')).concat(root);
}
