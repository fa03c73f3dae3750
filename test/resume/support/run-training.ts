// Plays the supervisor: runs a spec to its end in trainer processes that are stopped or killed on the way, each attempt
// resumed in a fresh process from the last snapshot that was handed over. Says what came out, and what was executed.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { EpochRow, UpdateRow } from '../../../lib/contract/rows.js';
import type { DataSourceSpec, JobSpec, JobSpecInput } from '../../../lib/contract/spec.js';
import type { ResolvedSource } from '../../../lib/data/source.js';
import { resolveSpec } from '../../../lib/jobs/spec/resolve.js';
import type { ResumeState, Snapshot, TrainerData, TrainingOutcome } from '../../../worker/protocol.js';
import { forkTrainer, type ForkedTrainer } from './forked-trainer.js';

export type Cut = { kind: 'notice' | 'kill' } & ({ at: number } | { atValidationBatch: number });

export interface RunOptions {
  /** With `every_micro_batches`, an attempt that is to be cut waits for its snapshots: a kill is resumed from the last one due. */
  spec: JobSpecInput;
  /** An empty folder: spools and nothing else. */
  dir: string;
  /** One an attempt; the attempt after the last one is undisturbed. */
  cuts?: readonly Cut[];
  /** Folder that locations of the spec are relative to. */
  dataRoot?: string;
  initFile?: string;
  engine?: 'tensorflow' | 'wasm';
  /** Waits for a snapshot at every micro-batch, where the spec asks for one there. */
  everySnapshot?: boolean;
}

export interface AttemptRecord {
  ending: 'stopped' | 'killed' | 'done';
  /** Micro-batches of the job when it began. */
  resumedFrom: number;
  /** Numbers (from 1) of the micro-batches it executed. */
  executed: number[];
  /** Whether its fault struck; null without one. */
  struck: boolean | null;
}

export interface RunResult {
  weightsSha256: string;
  stateSha256: string;
  outcome: TrainingOutcome;
  /** By update and by epoch, as last told, without wall_time. */
  updateRows: Omit<UpdateRow, 'wall_time'>[];
  epochRows: EpochRow[];
  /** Samples of each micro-batch that is in the result, in order. */
  order: { epoch: number; sampleIds: number[] }[];
  attempts: AttemptRecord[];
  /** Of every snapshot that was handed over: the hashes of its files (weights, slots, open window), by micro-batch. */
  states: Map<number, Partial<Record<string, string>>>;
  /** The canonical final state. */
  stateFile: string;
}

export function resolved(input: JobSpecInput): JobSpec {
  const result = resolveSpec(input);
  if ('problems' in result) throw new Error(`the spec of a test is wrong: ${JSON.stringify(result.problems)}`);
  return result.spec;
}

export const sha256Of = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

/** What a supervisor would settle before it forks. */
export function sourcesOf(spec: JobSpec, dataRoot = '.'): TrainerData {
  const settle = (source: DataSourceSpec): ResolvedSource => {
    if (source.type === 'npz') return { type: 'npz', path: join(dataRoot, source.path), x: source.x, y: source.y };
    if (source.type === 'idx') return { type: 'idx', images: { path: join(dataRoot, source.images) }, labels: { path: join(dataRoot, source.labels) } };
    if (source.name === 'digits') return { type: 'builtin', name: 'digits' };
    const { samples, shape, classes, seed } = source;
    return { type: 'builtin', name: 'synthetic', samples, shape, classes, seed };
  };
  const { validation } = spec.data;
  return { train: settle(spec.data), validation: validation === null || 'split' in validation ? null : settle(validation), memoryBytes: 2 ** 30 };
}

export async function runTraining({ spec: input, dir, cuts = [], dataRoot, initFile, engine = 'tensorflow', everySnapshot = false }: RunOptions): Promise<RunResult> {
  const spec = resolved(input);
  const data = sourcesOf(spec, dataRoot);
  const updateRows = new Map<number, Omit<UpdateRow, 'wall_time'>>();
  const epochRows = new Map<number, EpochRow>();
  const order = new Map<number, { epoch: number; sampleIds: number[] }>();
  const attempts: AttemptRecord[] = [];
  const states: RunResult['states'] = new Map();
  let resume = null as ResumeState | null;
  /** Takes a snapshot as a commit would: what it has no file of is that of the one before. */
  const keep = ({ counters, files, unchanged }: Snapshot): void => {
    const before = resume?.files ?? {};
    for (const role of unchanged) if (before[role] === undefined) throw new Error(`${role} is said to be unchanged, and nothing has it`);
    resume = { counters, committed: true, files: { ...Object.fromEntries(unchanged.map((role) => [role, before[role]])), ...Object.fromEntries(Object.entries(files).map(([role, file]) => [role, file.path])) } };
    states.set(counters.cursor.micro_batches, Object.fromEntries(Object.entries(resume.files).map(([role, path]) => [role, sha256Of(path)])));
  };

  for (let number = 1; ; number++) {
    const cut: Cut | undefined = cuts[number - 1];
    const record: AttemptRecord = { ending: 'killed', resumedFrom: resume?.counters.cursor.micro_batches ?? 0, executed: [], struck: cut === undefined ? null : false };
    attempts.push(record);
    const attempt = `attempt-${number}`;
    const spoolDir = join(dir, attempt);
    await mkdir(spoolDir);
    const every = spec.checkpoint.every_micro_batches;
    // every other attempt has two lanes: the bits may not show it
    const trainer = forkTrainer({ engine, interOpThreads: 1 + (number % 2), fault: { ...cut, ...(every === null ? {} : { snapshotEvery: everySnapshot && cut === undefined ? 1 : every }) } });
    try {
      trainer.send({ type: 'start', attempt, spec, data, initFile: resume === null && initFile !== undefined ? { path: initFile } : null, resume, parts: 1, memoryBytes: null, lifetimeMs: 3_600_000, pauseAt: null, spoolDir });
      const end = await follow(trainer, attempt, record);
      if (end !== null) {
        const weights = end.snapshot.files.weights;
        if (weights === undefined) throw new Error('the last snapshot has no weights');
        const rows = [...updateRows.values()];
        return { weightsSha256: sha256Of(weights.path), stateSha256: sha256Of(end.stateFile.path), outcome: end.outcome, updateRows: rows, epochRows: [...epochRows.values()], order: [...order.values()], attempts, states, stateFile: end.stateFile.path };
      }
    } finally {
      await trainer.close();
    }
    if (cut === undefined) throw new Error(`attempt ${number} ended as ${record.ending} although nothing was to happen to it`);
  }

  /** Until the attempt ends; the end of the training if that is it. */
  async function follow(trainer: ForkedTrainer, attempt: string, record: AttemptRecord) {
    for (;;) {
      const message = await trainer.next();
      switch (message.type) {
        case 'ready':
          trainer.send({ type: 'run', attempt });
          break;
        case 'test_executed':
          record.executed.push(message.number);
          tellAgain(order, message.number, { epoch: message.epoch, sampleIds: message.sampleIds });
          break;
        case 'test_struck':
          record.struck = true;
          break;
        case 'progress':
          for (const { wall_time: _, ...row } of message.updateRows) tellAgain(updateRows, row.update, row);
          for (const row of message.epochRows) tellAgain(epochRows, row.epoch, row);
          break;
        case 'snapshot':
          keep(message.snapshot);
          trainer.send({ type: 'snapshot_settled', attempt, number: message.snapshot.number, committed: true });
          break;
        case 'stopped':
          record.ending = 'stopped';
          if (message.snapshot !== null) keep(message.snapshot);
          return null;
        case 'done':
          record.ending = 'done';
          return message;
        case 'exit':
          if (message.signal !== 'SIGKILL') throw new Error(`the trainer ended by itself: ${JSON.stringify(message)}`);
          return null;
        case 'failed':
        case 'snapshot_failed':
          throw new Error(`${message.code}: ${message.message}`);
        case 'waiting':
        case 'idle':
          break;
      }
    }
  }
}

/** What is done again after a kill has to be what it was. */
function tellAgain<T>(told: Map<number, T>, number: number, value: T): void {
  const before = told.get(number);
  if (before !== undefined && JSON.stringify(before) !== JSON.stringify(value)) throw new Error(`${number} was ${JSON.stringify(before)} and is now ${JSON.stringify(value)}`);
  told.set(number, value);
}
