// Compiles a job's program so that it fits into memory: as many lanes as fit and, with `numerics: "fast"`, each micro-batch
// in as many slices as it takes.
import type { TrainingSpec } from '../../lib/contract/training.js';
import { AppError, isAppError, messageOf } from '../../lib/errors.js';
import type { CompiledProgram, Engine, Program } from './engines/index.js';
import { joinSlices, slicedProgram, sliceSize, whyNoSlices } from './engines/slices.js';
import { failureOf } from './failures.js';
import { lanesThatFit } from './memory-check.js';

const LANES_LIMIT = 64;

export interface Fitting {
  compiled: CompiledProgram;
  /** Slices of a full micro-batch. */
  parts: number;
}

/**
 * @param program its lanes are settled here
 * @param fromParts slices that the job's numerics class has; more are made only if these do not fit
 * @throws AppError oom, with the numbers, if it does not fit
 */
export function compileFitting(engine: Engine, program: Omit<Program, 'lanes'>, training: Pick<TrainingSpec, 'numerics' | 'lanes'>, fromParts: number): Fitting {
  const { batchSize, plan } = program;
  const measured = training.lanes === 'auto';
  const wanted = training.lanes === 'auto' ? LANES_LIMIT : training.lanes;

  function compile(parts: number): CompiledProgram {
    const size = sliceSize(batchSize, parts);
    const most = engine.memoryBytes === null ? wanted : lanesThatFit(plan, { batchSize: size, form: program }, Math.min(wanted, program.accumIters * parts), engine.memoryBytes);
    const whole = { ...program, lanes: { most, measured } };
    return parts === 1 ? engine.compile(whole) : joinSlices(engine.compile(slicedProgram(whole, parts)), size, parts);
  }

  const reason = training.numerics === 'fast' ? whyNoSlices(program) : null;
  if (training.numerics === 'strict' || reason !== null) {
    try {
      return { compiled: compile(1), parts: 1 };
    } catch (error) {
      if (reason === null || !isOutOfMemory(error)) throw error;
      throw new AppError('oom', `${messageOf(error)}; numerics "fast" cannot split them: ${reason}`, { cause: error });
    }
  }
  for (let parts = Math.min(fromParts, batchSize); ; parts = Math.min(2 * parts, batchSize)) {
    try {
      return { compiled: compile(parts), parts };
    } catch (error) {
      if (!isOutOfMemory(error) || parts === batchSize) throw error;
    }
  }
}

const isOutOfMemory = (error: unknown): boolean => isAppError(error, 'oom') || failureOf(error).code === 'oom';
