// Everything between the message `start` and the first micro-batch: data, plan, program, and the state to begin with:
// fresh weights, weights from a file, or a checkpoint, which is checked by name, shape and count before it is believed.
import { readSafetensorsFile, readSafetensorsOf } from '../../lib/checkpoints/safetensors.js';
import type { JobSpec } from '../../lib/contract/spec.js';
import type { Fingerprint } from '../../lib/data/fingerprint.js';
import { naming } from '../../lib/data/naming.js';
import { openPinned } from '../../lib/data/pinned-file.js';
import type { PinnedFile } from '../../lib/data/source.js';
import { AppError, type Problem } from '../../lib/errors.js';
import { planModel } from '../../lib/model/plan-model.js';
import { checkState, expectedState } from '../../lib/model/slots.js';
import { stateFiles, tensorsOfFile } from '../../lib/model/state-files.js';
import type { ModelPlan } from '../../lib/model/plan.js';
import { checkCourse, courseOf, totalUpdates, type Course } from '../../lib/training/course.js';
import { checkCursor, holdsWindow, startCursor } from '../../lib/training/cursor.js';
import { keepsBest, startMonitor } from '../../lib/training/monitor.js';
import { checkSchedule } from '../../lib/training/learning-rate.js';
import { STATE_ROLES, type HostTensor, type StateCounters, type TensorMap } from '../../lib/training/state.js';
import { emptySums } from '../../lib/training/window.js';
import type { EngineFacts, ResumeState, ToTrainer } from '../protocol.js';
import { loadData, type LoadedData } from './batches.js';
import { compileFitting } from './compile-fitting.js';
import { makeBestWeights, type BestWeights } from './best-weights.js';
import type { CompiledProgram, Engine } from './engines/index.js';
import { batchSizes } from './engines/slices.js';
import type { Training } from './loop.js';
import { engineShare } from './memory-check.js';
import { programOf } from './program.js';

type Start = Extract<ToTrainer, { type: 'start' }>;

export interface Prepared {
  training: Training;
  plan: ModelPlan;
  facts: EngineFacts;
  /** Of the files that were to be hashed. */
  hashed: Fingerprint[];
  totalUpdates: number;
  warmupMs: number;
}

export async function prepare(start: Start, engine: Engine): Promise<Prepared> {
  const { spec } = start;
  const data = await loadData(spec, start.data, start.spoolDir, start.memoryBytes ?? Infinity);
  try {
    return await prepareOn(data, start, engine);
  } catch (error) {
    await data.close();
    throw error;
  }
}

async function prepareOn(data: LoadedData, start: Start, engine: Engine): Promise<Prepared> {
  const { spec } = start;
  const loadedMs = performance.now();
  const course = courseOf(spec.training, data.description.samples);
  refuse([...checkCourse(course), ...checkSchedule(spec.training, totalUpdates(course))], 'invalid_data');
  const planned = planModel(spec.model.layers, data.description.shape, { classes: data.description.classes, loss: spec.training.loss });
  if ('problems' in planned) throw refusal(planned.problems, 'invalid_data');
  const { batch_size: batchSize } = spec.training;
  const program = programOf(spec, planned.plan, { training: batchSizes(data.description.samples, batchSize), evaluation: batchSizes(data.validationSamples, batchSize) });
  const memoryBytes = engineShare(engine.memoryBytes, start.memoryBytes ?? Infinity, data.memoryBytes);
  const { compiled, parts } = compileFitting({ ...engine, memoryBytes }, program, spec.training, start.parts);
  try {
    const { counters, best, hashed } = await loadState(start, compiled, planned.plan, course);
    return {
      training: { spec, course, batches: data.batches(planned.plan), program: compiled, best, start: counters, pauseAt: start.pauseAt },
      plan: planned.plan,
      facts: { engine: engine.name, device: engine.device, lanes: compiled.lanes, numericsClass: `${engine.numerics}; batch ${program.batchSize}${parts === 1 ? '' : ` in ${parts} parts`}; program ${program.key}` },
      hashed: [...data.hashed, ...hashed],
      totalUpdates: totalUpdates(course),
      warmupMs: performance.now() - loadedMs,
    };
  } catch (error) {
    compiled.close();
    throw error;
  }
}

async function loadState({ spec, resume, initFile }: Start, program: CompiledProgram, plan: ModelPlan, course: Course): Promise<{ counters: StateCounters; best: BestWeights; hashed: Fingerprint[] }> {
  const closed = expectedState(plan, spec.training, false);
  if (resume !== null) {
    checkCounters(resume.counters, course);
    const state = await readState(resume, spec, plan);
    const own = expectedState(plan, spec.training, holdsWindow(resume.counters.cursor));
    program.restore(new Map([...state].filter(([name]) => own.has(name))), holdsWindow(resume.counters.cursor));
    return { counters: resume.counters, best: makeBestWeights(program, closed, state), hashed: [] };
  }
  program.initialise(spec.training.seed);
  const hashed = initFile === null ? null : await loadFirstWeights(initFile, program);
  return { counters: { cursor: startCursor(), window: emptySums(), epoch: emptySums(), last_epoch: null, monitor: startMonitor() }, best: makeBestWeights(program, closed, new Map()), hashed: hashed === null ? [] : [hashed] };
}

/** Its hash if it was asked for. */
async function loadFirstWeights(pinned: PinnedFile, program: CompiledProgram): Promise<Fingerprint | null> {
  const file = await openPinned(pinned, []);
  try {
    const { weights, fingerprint } = await naming(file, async () => ({ weights: await readSafetensorsOf(file, { code: 'invalid_data' }), fingerprint: await file.fingerprint() }));
    // what the engine says is not about the file
    program.loadWeights(weights);
    return fingerprint;
  } finally {
    await file.close();
  }
}

function checkCounters({ cursor, window }: StateCounters, course: Course): void {
  refuse(checkCursor(cursor, course).map((problem) => ({ ...problem, message: `${problem.param} ${problem.message}` })), 'checkpoint_corrupt');
  const summed = holdsWindow(cursor) ? cursor.window_position : 0;
  if (window.micro_batches !== summed) {
    throw new AppError('checkpoint_corrupt', `the window's sums are of ${window.micro_batches} micro-batches, and ought to be of ${summed}`, { param: 'window.micro_batches' });
  }
}

/** All tensors of a checkpoint; each file holds exactly its own role's. */
async function readState({ counters, files }: ResumeState, spec: JobSpec, plan: ModelPlan): Promise<TensorMap> {
  const expected = stateFiles(expectedState(plan, spec.training, holdsWindow(counters.cursor), keepsBest(spec, counters)));
  const state = new Map<string, HostTensor>();
  for (const role of STATE_ROLES) {
    const entries = expected.get(role) ?? [];
    const ofRole = new Map(entries.map((entry) => [entry.name, entry]));
    const path = files[role];
    if (path === undefined) {
      refuse(checkState(ofRole, new Map()), 'checkpoint_corrupt');
      continue;
    }
    if (role === 'window' && !holdsWindow(counters.cursor)) throw new AppError('checkpoint_corrupt', 'the checkpoint holds a window, but its cursor says that none is open', { param: role });
    const tensors = await readSafetensorsFile(path);
    refuse(checkState(ofRole, tensors), 'checkpoint_corrupt');
    for (const [name, tensor] of tensorsOfFile(role, entries, tensors)) state.set(name, tensor);
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
