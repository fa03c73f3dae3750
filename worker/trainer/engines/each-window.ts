// Whole windows without a call of their own: one block after another.
import type { BlockResult, CompiledProgram, Window } from './index.js';

export function runEach(windows: readonly Window[], runBlock: CompiledProgram['runBlock']): BlockResult[] {
  const results: BlockResult[] = [];
  for (const { batches, update } of windows) {
    const result = runBlock(batches, update);
    results.push(result);
    if (!result.finite) break;
  }
  return results;
}
