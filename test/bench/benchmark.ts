// What a benchmark is: a few claims, each measured in turns with what it is compared with, and reported one by one. A claim
// that nobody reported has failed.
import type { Client } from '../../api/client.js';
import type { Goal } from './statistics.js';
import type { Undo } from './undo.js';

export interface Claim {
  id: string;
  text: string;
  /** Of what is measured; the figure of a comparison is a ratio. */
  unit: 'samples/s' | 'MiB' | 'ms' | 's' | '/s' | 's.e.' | '';
  /** Null: for information only. */
  goal: Goal | null;
}

export type Result = { benchmark: string; claim: Claim; note: string | null } & (
  | { kind: 'compared'; ours: number[]; theirs: number[] }
  | { kind: 'measured'; values: number[] }
  | { kind: 'failed'; reason: string }
);

/** Seconds; of every measurement the same. */
export interface Durations {
  /** Of a job, from its first row on: not counted. */
  warmup: number;
  /** Of a job, after that. */
  window: number;
  /** Of a comparator's round. */
  round: number;
  /** Of a round that only finds out which form of a comparator is the fastest. */
  trial: number;
}

export const FULL: Durations = { warmup: 2, window: 6, round: 4, trial: 1.5 };
export const QUICK: Durations = { warmup: 0.5, window: 2, round: 1.5, trial: 0.5 };

/** What a benchmark is given. */
export interface Bench {
  pairs: number;
  durations: Durations;
  undo: Undo;
  /** A line for people, while it runs. */
  say(line: string): void;
  compared(claim: string, sides: { ours: number[]; theirs: number[] }, note?: string): void;
  measured(claim: string, values: number[], note?: string): void;
  failed(claim: string, reason: string): void;
}

export interface Benchmark {
  name: string;
  title: string;
  claims: readonly Claim[];
  /** May throw: every claim that was not reported yet then fails with that reason. */
  run(bench: Bench): Promise<void>;
}

/** A running system and what its processes are. */
export interface BenchSystem {
  client: Client;
  pids: { api: number; worker: number };
  redisUrl: string;
  /** `file:<folder>`. */
  store: string;
  close(): Promise<void>;
}
