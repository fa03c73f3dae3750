// Everything between the message `start` and the first micro-batch: data, plan, program, and the state to begin with:
// fresh weights, weights from a file, or a checkpoint, which is checked by name, shape and count before it is believed.
import { readSafetensorsFile } from '../../lib/checkpoints/safetensors.js';
import type { JobSpec } from '../../lib/contract/spec.js';
import { AppError, type Problem } from '../../lib/errors.js';
import { planModel } from '../../lib/model/plan-model.js';
import { checkState, expectedState } from '../../lib/model/slots.js';
import type { ModelPlan } from '../../lib/model/plan.js';
import { checkCourse, courseOf, totalUpdates, type Course } from '../../lib/training/course.js';
import { checkCursor, startCursor } from '../../lib/training/cursor.js';
import { checkSchedule } from '../../lib/training/learning-rate.js';
import { programKey } from '../../lib/training/program-key.js';
import { STATE_ROLES, type HostTensor, type StateCounters, type TensorMap } from '../../lib/training/state.js';
import { emptySums } from '../../lib/training/window.js';
import type { EngineFacts, ResumeState, ToTrainer } from '../protocol.js';
import { loadData, type LoadedData } from './batches.js';
import { compileFitting } from './compile-fitting.js';
import type { CompiledProgram, Engine } from './engines/index.js';
import { batchSizes } from './engines/slices.js';
import type { Training } from './loop.js';

type Start = Extract<ToTrainer, { type: 'start' }>;

export interface Prepared {
  training: Training;
  plan: ModelPlan;
  facts: EngineFacts;
  totalUpdates: number;
  loadMs: number;
  warmupMs: number;
}

export async function prepare(start: Start, engine: Engine): Promise<Prepared> {
  const { spec } = start;
  const startedMs = performance.now();
  const data = await loadData(spec, start.data, start.spoolDir);
  try {
    return await prepareOn(data, start, engine, performance.now() - startedMs);
  } catch (error) {
    await data.close();
    throw error;
  }
}

async function prepareOn(data: LoadedData, start: Start, engine: Engine, loadMs: number): Promise<Prepared> {
  const { spec } = start;
  const loadedMs = performance.now();
  const course = courseOf(spec.training, data.description.samples);
  refuse([...checkCourse(course), ...checkSchedule(spec.training, totalUpdates(course))], 'invalid_data');
  const planned = planModel(spec.model.layers, data.description.shape, { classes: data.description.classes });
  if ('problems' in planned) throw refusal(planned.problems, 'invalid_data');
  const program = {
    plan: planned.plan,
    loss: spec.training.loss,
    optimizer: spec.training.optimizer,
    reduction: spec.training.reduction,
    batchSize: spec.training.batch_size,
    lossDenominator: spec.training.batch_size,
    accumIters: spec.training.accum_iters,
    clip: { value: spec.training.clip_value, norm: spec.training.clip_norm },
    sizes: { training: batchSizes(data.description.samples, spec.training.batch_size), evaluation: batchSizes(data.validationSamples, spec.training.batch_size) },
    key: programKey(spec, planned.plan),
  };
  const { compiled, parts } = compileFitting(engine, program, spec.training, start.parts);
  try {
    const counters = await loadState(start, compiled, planned.plan, course);
    return {
      training: { spec, course, batches: data.batches(planned.plan), program: compiled, start: counters },
      plan: planned.plan,
      facts: { engine: engine.name, device: engine.device, lanes: compiled.lanes, numericsClass: `${engine.numerics}; batch ${program.batchSize}${parts === 1 ? '' : ` in ${parts} parts`}; program ${program.key}` },
      totalUpdates: totalUpdates(course),
      loadMs,
      warmupMs: performance.now() - loadedMs,
    };
  } catch (error) {
    compiled.close();
    throw error;
  }
}

async function loadState({ spec, resume, initFile }: Start, program: CompiledProgram, plan: ModelPlan, course: Course): Promise<StateCounters> {
  if (resume !== null) {
    checkCounters(resume.counters, course);
    program.restore(await readState(resume, spec, plan), resume.counters.cursor.window_position > 0);
    return resume.counters;
  }
  program.initialise(spec.training.seed);
  if (initFile !== null) program.loadWeights(await readSafetensorsFile(initFile, { code: 'invalid_data' }));
  return { cursor: startCursor(), window: emptySums(), epoch: emptySums() };
}

function checkCounters({ cursor, window }: StateCounters, course: Course): void {
  refuse(checkCursor(cursor, course).map((problem) => ({ ...problem, message: `${problem.param} ${problem.message}` })), 'checkpoint_corrupt');
  if (window.micro_batches !== cursor.window_position) {
    throw new AppError('checkpoint_corrupt', `the window's sums are of ${window.micro_batches} micro-batches, but its position is ${cursor.window_position}`, { param: 'window.micro_batches' });
  }
}

/** All tensors of a checkpoint; each file holds exactly its own role's. */
async function readState({ counters, files }: ResumeState, spec: JobSpec, plan: ModelPlan): Promise<TensorMap> {
  const expected = [...expectedState(plan, spec.training.optimizer, counters.cursor.window_position > 0)];
  const state = new Map<string, HostTensor>();
  for (const role of STATE_ROLES) {
    const ofRole = new Map(expected.filter(([, tensor]) => tensor.role === role));
    const path = files[role];
    if (path === undefined) {
      refuse(checkState(ofRole, new Map()), 'checkpoint_corrupt');
      continue;
    }
    if (role === 'window' && counters.cursor.window_position === 0) throw new AppError('checkpoint_corrupt', 'the checkpoint holds a window, but its cursor says that none is open', { param: role });
    const tensors = await readSafetensorsFile(path);
    refuse(checkState(ofRole, tensors), 'checkpoint_corrupt');
    for (const [name, tensor] of tensors) state.set(name, tensor);
  }
  return state;
}

function refuse(problems: readonly Problem[], code: 'checkpoint_corrupt' | 'invalid_data'): void {
  if (problems.length > 0) throw refusal(problems, code);
}

function refusal(problems: readonly Problem[], code: 'checkpoint_corrupt' | 'invalid_data'): AppError {
  const [first] = problems;
  return new AppError(code, problems.map((problem) => problem.message).join('; '), { ...(first === undefined ? {} : { param: first.param }), details: problems });
}
