// What is made of a sweep's whole log for readers, which takes long where there are many trials: on the event loop, or in a thread
// (decider.ts), which knows each maker by its name. Pure.
import type { SweepExport, SweepImportance, SweepStatus } from '../contract/sweep-views.js';
import type { Problem } from '../errors.js';
import { trialsCsv } from './csv.js';
import type { Rules } from './decide.js';
import type { SweepRecord } from './record.js';
import type { SweepState } from './state.js';
import { importanceView, sweepView, trialView } from './view.js';

/** A sweep as its log has it. */
export interface Followed {
  record: SweepRecord;
  rules: Rules;
  warnings: readonly Problem[];
  state: SweepState;
}

/** @typeParam F what it needs beside the log; that, and what is made, can be sent between threads */
export interface Maker<F, T> {
  name: string;
  /** How long it takes, as a multiple of the importance of the parameters. */
  weight: number;
  make(sweep: Followed, facts: F): T | Promise<T>;
}

export const IMPORTANCE: Maker<null, SweepImportance> = { name: 'importance', weight: 1, make: ({ rules, state }) => importanceView(rules.spec, rules.space, state) };

/** What a log does not say of its sweep. */
export interface OutsideFacts {
  status: SweepStatus;
  /** In attempts of its trials' jobs, so far. */
  computeSeconds: number;
  /** Trials whose job is there. */
  submitted: ReadonlySet<number>;
  at: Date;
}

export function wholeSweep(sweep: Followed, { status, computeSeconds, submitted, at }: OutsideFacts): SweepExport {
  const { record, state } = sweep;
  return { object: 'sweep_export', sweep: sweepView({ ...sweep, status }, computeSeconds, at), trials: state.trials.map((trial) => trialView(record.id, state, trial, submitted.has(trial.number))) };
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A sweep with all its trials as a file, by its format. */
export const EXPORTS: Readonly<Record<'json' | 'csv', Maker<OutsideFacts, Uint8Array>>> = {
  json: { name: 'export as json', weight: 1, make: (sweep, facts) => bytesOf(JSON.stringify(wholeSweep(sweep, facts))) },
  csv: { name: 'export as csv', weight: 1, make: (sweep, facts) => bytesOf(trialsCsv(sweep.rules.space.dimensions.keys(), wholeSweep(sweep, facts).trials)) },
};
