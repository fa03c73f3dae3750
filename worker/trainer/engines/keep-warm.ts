// Compiling takes a good part of a second, and a trainer is kept for the next attempt of the same program: so is what it compiled.
import type { CompiledProgram, Engine, Program } from './index.js';

/** The engine, with the program that was closed last kept for the next attempt of the same one. Its state is not: every attempt sets its own. */
export function keepWarm(engine: Engine): Engine {
  let kept: { key: string; compiled: CompiledProgram } | null = null;
  const keyOf = ({ key, batchSize, lanes, sizes }: Program): string => JSON.stringify([key, batchSize, lanes, sizes]);
  return {
    ...engine,
    compile(program) {
      const key = keyOf(program);
      const warm = kept;
      kept = null;
      if (warm !== null && warm.key !== key) warm.compiled.close();
      const compiled = warm?.key === key ? warm.compiled : engine.compile(program);
      let open = true;
      return Object.create(compiled, {
        close: {
          value() {
            if (!open) return;
            open = false;
            compiled.dropWindow();
            kept?.compiled.close();
            kept = { key, compiled };
          },
        },
      }) as CompiledProgram;
    },
  };
}
