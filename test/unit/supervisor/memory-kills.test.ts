// Where the kernel tells that it ended processes for want of memory: both versions of control groups, else the whole machine.
import { expect, test } from 'vitest';
import { countMemoryKills } from '../../../worker/supervisor/memory-kills.js';

const V1 = '5:devices:/\n4:memory:/jobs/a\n0::/\n';
const V2 = '0::/system.slice/pawl.service\n';

test.each<[string, Record<string, string>, number | null]>([
  ['version 1', { '/proc/self/cgroup': V1, '/sys/fs/cgroup/memory/jobs/a/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 3\n', '/proc/vmstat': 'oom_kill 9\n' }, 3],
  ['version 1 inside a container', { '/proc/self/cgroup': V1, '/sys/fs/cgroup/memory/memory.oom_control': 'oom_kill 2\n' }, 2],
  ['version 2', { '/proc/self/cgroup': V2, '/sys/fs/cgroup/system.slice/pawl.service/memory.events': 'low 0\noom 1\noom_kill 1\n' }, 1],
  ['version 2 inside a container', { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/memory.events': 'oom_kill 4\n' }, 4],
  ['no group that tells', { '/proc/self/cgroup': V2, '/proc/vmstat': 'nr_free 1\noom_kill 7\n' }, 7],
  ['nothing that tells', {}, null],
])('%s', (_, files, count) => expect(countMemoryKills((path) => files[path] ?? null)).toBe(count));
