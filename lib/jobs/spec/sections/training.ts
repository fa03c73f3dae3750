// The training section: shorthands of loss and schedule, the default length, and rules between keys.
import type { Static } from 'typebox';
import type { LossSpec, Training, TrainingSpec } from '../../../contract/spec.js';
import type { Problem } from '../../../errors.js';
import { DEFAULT_EPSILON } from '../../../training/learning-rate.js';
import { type Section, section } from './section.js';

/** With the schema's defaults filled in. */
type TrainingInput = Static<typeof Training>;

export function resolveTraining(input: TrainingInput): Section<TrainingSpec> {
  const problems: Problem[] = [];
  const { optimizer } = input;
  if (optimizer?.type === 'sgd' && optimizer.nesterov === true && !(optimizer.momentum !== undefined && optimizer.momentum > 0)) {
    problems.push({ param: 'training.optimizer.nesterov', message: 'needs a momentum above 0' });
  }
  const { batch_size, accum_iters, epochs = null, max_updates = null, ...rest } = input;
  const value = {
    batch_size,
    accum_iters,
    epochs: epochs === null && max_updates === null ? 1 : epochs,
    max_updates,
    ...rest,
    optimizer: optimizer?.type === 'adam' ? { ...optimizer, epsilon: optimizer.epsilon ?? DEFAULT_EPSILON } : optimizer,
    lr_schedule: typeof input.lr_schedule === 'string' ? { type: input.lr_schedule } : input.lr_schedule,
    loss: spellOutLoss(input.loss),
  };
  // every key is present: the schema's defaults were filled in
  return section(value as TrainingSpec, problems);
}

function spellOutLoss(loss: TrainingInput['loss']): LossSpec | undefined {
  return (typeof loss === 'string' ? { type: loss, label_smoothing: 0, from_logits: false } : loss) as LossSpec | undefined;
}
