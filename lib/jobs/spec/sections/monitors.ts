// What early stopping and keep_best watch: the default metric, which way it gets better, and whether rows will have it.
import type { EarlyStoppingSpec } from '../../../contract/training.js';
import type { JobSpec } from '../../../contract/spec.js';
import type { Problem } from '../../../errors.js';
import { naturalMode } from '../../../training/monitor.js';

interface Watched {
  metric: string | null;
  mode: 'auto' | 'min' | 'max';
}

/** Writes them out where the sections left them open. */
export function resolveMonitors(spec: JobSpec): { spec: JobSpec } | { problems: Problem[] } {
  const problems: Problem[] = [];
  const resolve = <T extends Watched>(watched: T | null, param: string): T | null => {
    if (watched === null) return null;
    const metric = (watched.metric ?? (spec.data.validation === null ? 'loss' : 'val_loss')).replace(/^validation_/, 'val_') as EarlyStoppingSpec['metric'];
    const name = metric.replace(/^val_/, '');
    if (metric !== name && spec.data.validation === null) problems.push({ param: `${param}.metric`, message: `"${metric}" needs validation data; there is none (data.validation)` });
    const measured = name === 'loss' || spec.training.metrics.some((each) => (typeof each === 'string' ? each : each.type) === name);
    if (!measured) problems.push({ param: `${param}.metric`, message: `"${metric}" is not among training.metrics` });
    return { ...watched, metric, mode: watched.mode === 'auto' ? naturalMode(metric) : watched.mode };
  };
  const early_stopping = resolve(spec.training.early_stopping, 'training.early_stopping');
  const keep_best = resolve(spec.checkpoint.keep_best, 'checkpoint.keep_best');
  return problems.length > 0 ? { problems } : { spec: { ...spec, training: { ...spec.training, early_stopping }, checkpoint: { ...spec.checkpoint, keep_best } } };
}
