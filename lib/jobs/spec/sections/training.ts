// The training section: shorthands of loss and schedule, the default length, and rules between keys.
import type { Static } from 'typebox';
import { type LossSpec, LrScheduleObject, type LrScheduleSpec, type MetricSpec, TopKAccuracy, type Training, type TrainingSpec } from '../../../contract/training.js';
import type { Problem } from '../../../errors.js';
import { DEFAULT_EPSILON } from '../../../training/learning-rate.js';
import type { Schema } from '../describe-schema.js';
import { fillDefaults } from '../fill-defaults.js';
import { type Section, section } from './section.js';

/** With the schema's defaults filled in. */
type TrainingInput = Static<typeof Training>;

export function resolveTraining(input: TrainingInput): Section<TrainingSpec> {
  const problems: Problem[] = [];
  const { optimizer } = input;
  if (optimizer?.type === 'sgd' && optimizer.nesterov === true && !(optimizer.momentum !== undefined && optimizer.momentum > 0)) {
    problems.push({ param: 'training.optimizer.nesterov', message: 'needs a momentum above 0' });
  }
  const schedule = spellOutSchedule(input.lr_schedule);
  if (schedule?.type === 'piecewise') problems.push(...piecewiseProblems(schedule));
  const loss = spellOutLoss(input.loss);
  if (loss?.type === 'mean_squared_error') problems.push(...errorLossProblems(loss));
  const metrics = input.metrics?.map(spellOutMetric);
  if (metrics !== undefined && metrics.filter((metric) => typeof metric === 'object').length > 1) problems.push({ param: 'training.metrics', message: 'top_k_accuracy is given twice; rows have one' });
  const { batch_size, accum_iters, epochs = null, max_updates = null, ...rest } = input;
  const value = {
    batch_size,
    accum_iters,
    epochs: epochs === null && max_updates === null ? 1 : epochs,
    max_updates,
    ...rest,
    optimizer: optimizer !== undefined && 'epsilon' in optimizer ? { ...optimizer, epsilon: optimizer.epsilon ?? DEFAULT_EPSILON } : optimizer,
    lr_schedule: schedule,
    loss,
    metrics,
  };
  // every key is present: the schema's defaults were filled in
  return section(value as TrainingSpec, problems);
}

function spellOutSchedule(schedule: TrainingInput['lr_schedule']): LrScheduleSpec | undefined {
  return (typeof schedule === 'string' ? fillDefaults(LrScheduleObject as Schema, { type: schedule }) : schedule) as LrScheduleSpec | undefined;
}

function piecewiseProblems({ boundaries, values }: Extract<LrScheduleSpec, { type: 'piecewise' }>): Problem[] {
  const problems: Problem[] = [];
  const unordered = boundaries.findIndex((boundary, index) => index > 0 && boundary <= boundaries[index - 1]!);
  if (unordered > 0) problems.push({ param: `training.lr_schedule.boundaries.${unordered}`, message: `must be above the one before it, ${boundaries[unordered - 1]}; got ${boundaries[unordered]}` });
  if (values.length !== boundaries.length + 1) problems.push({ param: 'training.lr_schedule.values', message: `must be one more than the boundaries: ${boundaries.length + 1} values for ${boundaries.length} boundaries, got ${values.length}` });
  return problems;
}

const spellOutMetric = (metric: NonNullable<TrainingInput['metrics']>[number]): MetricSpec => (metric === 'top_k_accuracy' ? fillDefaults(TopKAccuracy, { type: metric }) : metric) as MetricSpec;

/** Keys that only crossentropies have. */
function errorLossProblems({ label_smoothing, from_logits }: LossSpec): Problem[] {
  const problems: Problem[] = [];
  if (label_smoothing !== 0) problems.push({ param: 'training.loss.label_smoothing', message: `must be 0 for mean_squared_error; got ${label_smoothing}` });
  if (from_logits) problems.push({ param: 'training.loss.from_logits', message: 'must be false for mean_squared_error, which takes the last layer as it is; got true' });
  return problems;
}

function spellOutLoss(loss: TrainingInput['loss']): LossSpec | undefined {
  return (typeof loss === 'string' ? { type: loss, label_smoothing: 0, from_logits: false } : loss) as LossSpec | undefined;
}
