// How many of a machine's 64 cores a process uses under the limits of its control groups, which Node.js 20 does not ask for.
import { availableParallelism } from 'node:os';
import { expect, test } from 'vitest';
import { processCores } from '../../lib/process-cores.js';

const MACHINE = 64;
const V1 = '9:name=systemd:/\n4:cpu,cpuacct:/kubepods/pod7/c1\n3:cpuset:/kubepods/pod7/c1\n0::/\n';
const V2 = '0::/kubepods.slice/pod7/c1\n';

test.each<[string, Record<string, string>, number]>([
  ['version 2', { '/proc/self/cgroup': V2, '/sys/fs/cgroup/kubepods.slice/pod7/c1/cpu.max': '200000 100000\n' }, 2],
  ['version 2 inside a container', { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': '400000 100000\n' }, 4],
  ["version 2 inside a container, with the host's name of the group", { '/proc/self/cgroup': V2, '/sys/fs/cgroup/cpu.max': '400000 100000\n' }, 4],
  ['a group above', { '/proc/self/cgroup': V2, '/sys/fs/cgroup/kubepods.slice/pod7/c1/cpu.max': 'max 100000\n', '/sys/fs/cgroup/kubepods.slice/pod7/cpu.max': '300000 100000\n', '/sys/fs/cgroup/kubepods.slice/cpu.max': '800000 100000\n' }, 3],
  ['version 1', { '/proc/self/cgroup': V1, '/sys/fs/cgroup/cpu/kubepods/pod7/c1/cpu.cfs_quota_us': '500000\n', '/sys/fs/cgroup/cpu/kubepods/pod7/c1/cpu.cfs_period_us': '100000\n' }, 5],
  ['version 1 inside a container', { '/proc/self/cgroup': V1, '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '50000\n', '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '25000\n' }, 2],
  ['version 1 without a limit', { '/proc/self/cgroup': V1, '/sys/fs/cgroup/cpu/kubepods/pod7/c1/cpu.cfs_quota_us': '-1\n', '/sys/fs/cgroup/cpu/kubepods/pod7/c1/cpu.cfs_period_us': '100000\n' }, MACHINE],
  ['a part of a core is one more', { '/proc/self/cgroup': V2, '/sys/fs/cgroup/cpu.max': '250000 100000\n' }, 3],
  ['less than a core is one', { '/proc/self/cgroup': V2, '/sys/fs/cgroup/cpu.max': '5000 100000\n' }, 1],
  ['more than there is', { '/proc/self/cgroup': V2, '/sys/fs/cgroup/cpu.max': '9900000 100000\n' }, MACHINE],
  ['no limit', { '/proc/self/cgroup': V2, '/sys/fs/cgroup/kubepods.slice/pod7/c1/cpu.max': 'max 100000\n' }, MACHINE],
  ['no control groups', {}, MACHINE],
])('%s', (_, files, cores) => expect(processCores(MACHINE, (path) => files[path] ?? null)).toBe(cores));

test('of this machine it is a number that it can have', () => {
  expect(processCores()).toBeGreaterThanOrEqual(1);
  expect(processCores()).toBeLessThanOrEqual(availableParallelism());
});
