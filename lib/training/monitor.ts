// What the ends of epochs have shown so far: what early stopping waits for, and which epochs were the best. Pure; a part of the
// training's state, so that a resumed training decides as an undisturbed one.
import type { EarlyStoppingSpec, MonitoredMetric } from '../contract/training.js';
import type { JobSpec, KeepBestSpec } from '../contract/spec.js';
import type { EpochRow } from '../contract/rows.js';
import type { Monitor, StateCounters } from './state.js';

export const startMonitor = (): Monitor => ({ best: null, best_epoch: null, wait: 0, kept: [] });

/** Whether a state holds the best epoch's weights beside its own. */
export const keepsBest = ({ training }: Pick<JobSpec, 'training'>, { monitor }: Pick<StateCounters, 'monitor'>): boolean => training.early_stopping?.restore_best === true && monitor.best !== null;

/** How a metric gets better by itself: accuracies grow, losses shrink. */
export const naturalMode = (metric: MonitoredMetric): 'min' | 'max' => (metric.endsWith('accuracy') ? 'max' : 'min');

/** Whether `value` is better than `than` by more than `by`. NaN, which a row has as null, never is; everything else is better than nothing. */
function isBetter(value: number | null, than: number | null, mode: 'min' | 'max', by = 0): value is number {
  if (value === null) return false;
  if (than === null) return true;
  return mode === 'min' ? value + by < than : value - by > than;
}

export interface Observed {
  monitor: Monitor;
  /** The best so far by early stopping's metric. */
  improved: boolean;
  /** Patience is over. */
  stop: boolean;
  /** keep_best's metric, if this is one of the n best epochs so far; else null. */
  keep: number | null;
}

/**
 * An epoch that has ended, as Keras's EarlyStopping and ModelCheckpoint take it: improvement is strict, and beyond `min_delta`;
 * training stops once `patience` epochs in a row have brought none, never at the first epoch.
 */
export function observe(monitor: Monitor, row: EpochRow, { stopping, keeping }: { stopping: EarlyStoppingSpec | null; keeping: KeepBestSpec | null }): Observed {
  const next = { ...monitor, kept: monitor.kept };
  let [improved, stop] = [false, false];
  if (stopping !== null) {
    const value = row[stopping.metric] ?? null;
    improved = isBetter(value, monitor.best, stopping.mode, stopping.min_delta);
    if (improved) Object.assign(next, { best: value, best_epoch: row.epoch, wait: 0 });
    else {
      next.wait += 1;
      stop = next.wait >= stopping.patience && row.epoch > 1;
    }
  }
  const kept = keeping === null ? null : keepValue(monitor.kept, row[keeping.metric] ?? null, keeping);
  if (kept !== null) next.kept = kept.values;
  return { monitor: next, improved, stop, keep: kept?.value ?? null };
}

/** The n best values with this one among them, the best first; null if it is none of them. */
function keepValue(values: readonly number[], value: number | null, { mode, n }: KeepBestSpec): { values: number[]; value: number } | null {
  if (value === null || (values.length >= n && !isBetter(value, values.at(-1)!, mode))) return null;
  // an earlier epoch goes before an equal later one
  const at = values.findIndex((held) => isBetter(value, held, mode));
  const all = [...values];
  all.splice(at < 0 ? values.length : at, 0, value);
  return { values: all.slice(0, n), value };
}
