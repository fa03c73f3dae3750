// A resolved spec against its data: whether the model fits it, and whether training it makes sense at all.
import type { JobSpec } from '../../contract/spec.js';
import { normalizeProblems } from '../../data/normalize.js';
import type { DataDescription } from '../../data/source.js';
import { assertValidationFits, splitCounts } from '../../data/validation.js';
import { isAppError, type Problem } from '../../errors.js';
import { sizeOf } from '../../model/layers/layer.js';
import type { ModelPlan } from '../../model/plan.js';
import { MAX_TENSOR_ELEMENTS, planModel, structuralProblems } from '../../model/plan-model.js';
import { gathersStatistics } from '../../model/slots.js';
import { checkCourse, courseOf, totalUpdates } from '../../training/course.js';
import { checkSchedule } from '../../training/learning-rate.js';
import { MAX_SAMPLES } from '../../training/permutation.js';

export interface CheckedSpec {
  plan: ModelPlan;
  totalUpdates: number;
  trainSamples: number;
  /** null without validation. */
  validationSamples: number | null;
}

/**
 * Everything that is wrong between a spec and its data, or what comes out of them.
 * @param validationDescription of the validation set, where it is a data set of its own; else null
 */
export function checkAgainstData(spec: JobSpec, description: DataDescription, validationDescription: DataDescription | null): CheckedSpec | { problems: Problem[] } {
  const { training, data } = spec;
  const problems = normalizeProblems(data.normalize, description);
  if (description.samples > MAX_SAMPLES) problems.push({ param: 'data', message: `has ${description.samples} samples; at most ${MAX_SAMPLES} are possible` });

  const parts = { train: description.samples, validation: null as number | null };
  if (data.validation !== null && 'split' in data.validation) {
    const { split } = data.validation;
    problems.push(...problemsOf('data.validation.split', () => Object.assign(parts, splitCounts(description.samples, split))));
  } else if (data.validation !== null && validationDescription !== null) {
    parts.validation = validationDescription.samples;
    problems.push(...problemsOf('data.validation', () => assertValidationFits(description, validationDescription)));
    problems.push(...normalizeProblems(data.validation.normalize, validationDescription, 'data.validation'));
  }

  const course = courseOf(training, parts.train);
  problems.push(...checkCourse(course), ...checkSchedule(training, totalUpdates(course)));
  const planned = planModel(spec.model.layers, description.shape, { classes: description.classes, loss: training.loss });
  if ('problems' in planned) return { problems: [...problems, ...planned.problems] };
  problems.push(...checkSizes(spec, planned.plan), ...metricProblems(training, planned.plan));
  if (problems.length > 0) return { problems };
  return { plan: planned.plan, totalUpdates: totalUpdates(course), trainSamples: parts.train, validationSamples: parts.validation };
}

/** What can be said about a spec whose data cannot be read here. Empty for a spec that resolveSpec made. */
export function structuralCheck(spec: JobSpec): Problem[] {
  return structuralProblems(spec.model.layers);
}

/** What a metric cannot tell of this output. */
function metricProblems({ metrics }: JobSpec['training'], { outputShape: [values = 0] }: ModelPlan): Problem[] {
  return metrics.flatMap((metric, index) => (metric === 'accuracy' || metric.k < Math.max(2, values) ? [] : [{ param: `training.metrics.${index}`, message: `top_k_accuracy of k = ${metric.k} is always 1: the last layer gives ${values} ${values === 1 ? 'value' : 'values'}` }]));
}

/** Sizes that only the batch makes impossible, and a model without anything to train. */
function checkSizes({ training: { batch_size, accum_iters } }: JobSpec, plan: ModelPlan): Problem[] {
  const problems: Problem[] = [];
  if (plan.parameters.trainable === 0) problems.push({ param: 'model.layers', message: 'no layer has a trainable weight: there is nothing to train' });
  const largest = Math.max(...[plan.inputShape, ...plan.every.map((layer) => layer.outputShape)].map(sizeOf));
  if (batch_size * largest > MAX_TENSOR_ELEMENTS) {
    problems.push({ param: 'training.batch_size', message: `a micro-batch of ${batch_size} samples needs a tensor of ${batch_size * largest} elements; a tensor holds at most ${MAX_TENSOR_ELEMENTS}` });
  }
  for (const layer of plan.every.filter(gathersStatistics)) {
    const values = (sizeOf(layer.inputShape) / (layer.inputShape.at(-1) ?? 1)) * batch_size * accum_iters;
    if (values > MAX_TENSOR_ELEMENTS) {
      problems.push({ param: 'training.accum_iters', message: `a window has ${values} values a channel at "${layer.name}"; its statistics count to ${MAX_TENSOR_ELEMENTS}` });
      break;
    }
  }
  return problems;
}

/** An expected failure of a check elsewhere, as a problem of a field here. */
function problemsOf(param: string, check: () => void): Problem[] {
  try {
    check();
    return [];
  } catch (error) {
    if (!isAppError(error)) throw error;
    return error.details.length > 0 ? [...error.details] : [{ param: error.param ?? param, message: error.message, code: error.code }];
  }
}
