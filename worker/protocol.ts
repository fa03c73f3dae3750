// The messages between a supervisor and its trainer. The trainer never sees the queue, Redis or the store:
// it gets paths and answers with paths. Every message carries the attempt it belongs to; others are dropped.
//
//   supervisor → trainer   start → (ready) → run → snapshot* / stop → … → release
//   trainer → supervisor   ready · progress* · snapshot* · snapshot_failed* · waiting* · stopped | done | failed · idle
import type { ErrorCode } from '../lib/errors.js';
import type { Rung } from '../lib/contract/records.js';
import type { JobSpec } from '../lib/contract/spec.js';
import type { EpochRow, UpdateRow } from '../lib/contract/rows.js';
import type { Fingerprint } from '../lib/data/fingerprint.js';
import type { PinnedFile, ResolvedSource } from '../lib/data/source.js';
import type { StateCounters, StateRole } from '../lib/training/state.js';

/** A state to continue from: one safetensors file a role, and its counters. Files were verified (hash) by the supervisor. */
export interface ResumeState {
  counters: StateCounters;
  /** It is the job's last commit: what does not change from it need not be handed over again. */
  committed: boolean;
  files: Partial<Record<StateRole, string>>;
}

export interface TrainerData {
  train: ResolvedSource;
  validation: ResolvedSource | null;
  /** What all of it may take of memory; the rest is read from its files as it is needed. */
  memoryBytes: number;
}

export type ToTrainer =
  | {
      type: 'start';
      attempt: string;
      spec: JobSpec;
      data: TrainerData;
      /** First weights from a file (only without `resume`); they are the model's. */
      initFile: PinnedFile | null;
      resume: ResumeState | null;
      /** Slices that a micro-batch is computed in by the job's numerics class; 1 before its first attempt. */
      parts: number;
      /** What the job may take of this machine's memory, its data included; null: all of it. */
      memoryBytes: number | null;
      /** How long a worker of this job may be expected to last: for checkpoints as often as "auto" takes them. */
      lifetimeMs: number;
      /** Stop after that update, with its figures; null: go on. */
      pauseAt: number | null;
      /** An existing empty folder for this attempt's snapshots; data that has to be unpacked takes its disk's space. */
      spoolDir: string;
    }
  /** Inputs are pinned: the first micro-batch may run. */
  | { type: 'run'; attempt: string }
  /** Take a snapshot at the next micro-batch, besides the policy's own. */
  | { type: 'snapshot'; attempt: string }
  /** Snapshot `number` is committed, or given up: the next one may start. */
  | { type: 'snapshot_settled'; attempt: string; number: number; committed: boolean }
  /** Stop at the next micro-batch, with a last snapshot unless `discard`. `deadlineMs` is what is left, null for none. */
  | { type: 'stop'; attempt: string; deadlineMs: number | null; discard: boolean }
  /** The attempt is over: forget everything of it. Answered with `idle`. */
  | { type: 'release'; attempt: string };

/** Engine facts of an attempt. */
export interface EngineFacts {
  engine: string;
  /** For people: `cpu (AMD EPYC, avx512)`. */
  device: string;
  /** Micro-batches of a window that run side by side. */
  lanes: number;
  /** See training.md: engine and mode, versions, flags, instruction set, device, threads, batch size, program. */
  numericsClass: string;
}

export interface SnapshotFile {
  path: string;
  sizeBytes: number;
}

export interface Snapshot {
  /** 1, 2, … within the attempt. */
  number: number;
  counters: StateCounters;
  files: Partial<Record<StateRole, SnapshotFile>>;
  /** Parts of the state without a file: they are those of the last snapshot that was settled as committed, or of the state resumed from. */
  unchanged: StateRole[];
  /** keep_best's metric, if this is the state of one of the best epochs so far; else null. */
  best: number | null;
  /** Milliseconds from the boundary it was taken at until its files were written. */
  writeMs: number;
}

/** What ended: the result's own figures; hashes of files are the supervisor's work. */
export interface TrainingOutcome {
  stoppedBy: 'epochs' | 'max_updates' | 'early_stopping';
  updates: number;
  /** Executed, never applied: an open window dropped at the end. */
  unusedMicroBatches: number;
  /** Windows whose gradient was not finite (nonfinite: skip_window). */
  skippedWindows: number;
  /** Figures of the last completed epoch (or of the part of one that max_updates left). */
  metrics: Record<string, number | null>;
  validation: Record<string, number | null> | null;
}

export type FromTrainer =
  /** `hashed`: of the files that were to be hashed while they were read. */
  | { type: 'ready'; attempt: string; facts: EngineFacts; hashed: Fingerprint[]; warmupMs: number; totalUpdates: number }
  /**
   * Micro-batches [from, to) of the job were executed, since the last such message; sent at most every 100 ms and
   * always before stopped, done, failed and snapshot. Rows are those completed by these micro-batches, numbered from 1.
   * `trainMs` is the time since the last such message, at first since `run`; `samplesPerSecond` that of the last second or so;
   * `hearMs` the longest since the last such message that a stop would have had to wait to be heard.
   */
  | { type: 'progress'; attempt: string; from: number; to: number; counters: StateCounters; updateRows: UpdateRow[]; epochRows: EpochRow[]; samplesPerSecond: number; trainMs: number; hearMs: number }
  | { type: 'snapshot'; attempt: string; snapshot: Snapshot }
  /**
   * A snapshot could not be written (code store_full: the spool's disk is full). Training goes on; the next one starts when this one is
   * settled, as the last one is written again then.
   */
  | { type: 'snapshot_failed'; attempt: string; number: number; code: ErrorCode; message: string }
  /** Nothing was committed for so long that training stands still until something is. */
  | { type: 'waiting'; attempt: string; unsavedMs: number }
  /** After `stop`. Null if the snapshot was to be discarded, or if the state is still the one that the attempt started from. */
  /** `rung`: it stopped because it got to `pauseAt`. */
  | { type: 'stopped'; attempt: string; snapshot: Snapshot | null; rung: Rung | null }
  /** Training ended; the last snapshot is the final state (window_position 0). `stateFile` is the canonical final state: weights and slots in one safetensors file. */
  | { type: 'done'; attempt: string; snapshot: Snapshot; stateFile: SnapshotFile; outcome: TrainingOutcome }
  /** `param`: the field of the spec that it is about, if it is about one. */
  | { type: 'failed'; attempt: string; code: ErrorCode; message: string; param: string | null; /** peak so far */ peakMemoryMib: number }
  /** Nothing of the attempt is left. `clean`: tensor counts are back at the baseline, the process may serve another job of the same program. */
  | { type: 'idle'; attempt: string; clean: boolean; peakMemoryMib: number };
