// What a figure belongs to: the machine, and the commit that was measured.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { packageRoot } from '../../api/cli/package-root.js';
import { processCores } from '../../lib/process-cores.js';

export interface Machine {
  cores: number;
  processor: string;
  /** Instruction sets that float32 kernels are chosen by. */
  instructions: string[];
  memory_gib: number;
  kernel: string;
  node: string;
  commit: string;
  at: string;
}

const INTERESTING = ['avx2', 'fma', 'avx512f', 'avx512_vnni', 'avx512_bf16', 'amx_tile'];

export function describeMachine(now: Date): Machine {
  const flags = new Set(/^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.trim().split(' '));
  return {
    cores: processCores(),
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    instructions: INTERESTING.filter((name) => flags.has(name)),
    memory_gib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    commit: commit(),
    at: now.toISOString(),
  };
}

export function showMachine({ cores, processor, instructions, memory_gib: memory, node, commit: measured, at }: Machine): string {
  return `${cores} × ${processor} (${instructions.join(', ')}), ${memory} GiB, Node ${node}, commit ${measured}, ${at.slice(0, 10)}`;
}

function commit(): string {
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: packageRoot(), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    return `${git('rev-parse', '--short=12', 'HEAD')}${git('status', '--porcelain') === '' ? '' : ' with uncommitted changes'}`;
  } catch {
    return 'unknown';
  }
}
