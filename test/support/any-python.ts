// Whether tests of scripts for any Python can run here.
import { execFileSync } from 'node:child_process';

/** Says loudly, once, what is not run without it. */
export function hasPython(script: string): boolean {
  try {
    execFileSync('python3', ['-c', 'import sys; assert sys.version_info >= (3, 8)'], { stdio: 'ignore' });
    return true;
  } catch {
    process.stderr.write(`\nSKIPPED: ${script} is not run: there is no python3\n\n`);
    return false;
  }
}
