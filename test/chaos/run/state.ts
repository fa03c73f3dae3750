// What a run knows while it goes on: its jobs, what struck and when, who is away at the moment, and the first broken invariant.
import type { Head, Manifest } from '../../../lib/contract/records.js';
import type { Reference } from '../../support/undisturbed.js';
import type { Acknowledged } from './invariants/ledger.js';
import type { Listing } from './invariants/objects.js';
import { KINDS } from './kinds.js';
import type { Recipe } from './recipes.js';
import type { Planned } from './schedule.js';
import { type Sightings, startSightings } from './sightings.js';
import type { ChaosSystem } from './system.js';

/** What a strike met: null if it struck, else why it did not. */
export type Missed = string | null;

export interface Struck extends Planned {
  /** Milliseconds since 1970. */
  from: number;
  /** Null while it lasts. */
  to: number | null;
  struck: boolean;
  /** Why it did not strike, or what it met. */
  note: string | null;
  job: string | null;
  recoveredMs: number | null;
}

export interface Tracked {
  id: string;
  slot: number;
  key: string;
  body: object;
  recipe: Recipe;
  reference: Reference;
  head: Head | null;
  /** HEAD was there. */
  hadHead: boolean;
  owners: Map<number, string>;
  manifests: Map<string, Manifest>;
  /** Of the manifests' bytes. */
  manifestHashes: Map<string, string>;
  listing: Listing;
  /** Blobs that were read and hashed. */
  hashed: Set<string>;
  /** An acknowledged verb that holds until the run says otherwise. */
  verb: Acknowledged | null;
  /** A verb's answer was lost: it may take effect at any time. */
  loose: boolean;
  /** Verbs that the run said or may have said. */
  cancelled: boolean;
  busy: boolean;
  strandedMs: number;
  strandedAtMost: number;
  sightings: Sightings;
  /** Of its attempts, once it is over: how many were judged for waste, and why each of the others was not. */
  waste: { judged: number; exempt: string[] };
  /** Of the last change of HEAD. */
  movedAt: number;
  longestStillMs: number;
  recovering: { struck: Struck; fence: number; seq: number; sameFence: boolean }[];
  crashLoops: number;
  /** Succeeded, and its bits were compared. */
  over: boolean;
}

export class Violation extends Error {
  override readonly name = 'Violation';
  readonly invariant: string;
  readonly job: Tracked | null;
  constructor(invariant: string, job: Tracked | null, problems: readonly string[]) {
    super(problems.join('; '));
    this.invariant = invariant;
    this.job = job;
  }
}

export interface Run {
  seed: number;
  system: ChaosSystem;
  jobs: Tracked[];
  strikes: Struck[];
  /** Milliseconds since 1970. */
  startedAt: number;
  /** Nothing new is begun: no strike, no job. */
  winding: boolean;
  /** Aborted by the first violation, or from outside. */
  signal: AbortSignal;
  violation: Violation | null;
  /** Takes the first one; the run ends by it. */
  violate(invariant: string, job: Tracked | null, problems: readonly string[]): void;
  /** By a mistake of the run's own; it is told when everything has been taken down. */
  fail(error: unknown): void;
  say(line: string): void;
  /** By a worker's id: which one it was of, and when its process was last seen. */
  workers: Map<string, { index: number; aliveAt: number }>;
  /** Displaced attempts that are still trained: for how long. */
  surplusMs: Map<string, number>;
  surplusAtMost: number;
  resubmitted: number;
  looks: number;
}

export function makeRun(seed: number, system: ChaosSystem, abort: AbortController, say: (line: string) => void): Run {
  const run: Run = {
    seed, system, jobs: [], strikes: [], startedAt: Date.now(), winding: false, signal: abort.signal, violation: null, say, workers: new Map(), surplusMs: new Map(), surplusAtMost: 0, resubmitted: 0, looks: 0,
    fail: (error) => abort.abort(error),
    violate: (invariant, job, problems) => {
      if (problems.length === 0 || abort.signal.aborted) return;
      run.violation = new Violation(invariant, job, problems);
      abort.abort(run.violation);
    },
  };
  return run;
}

/** @param askedAt before which there was no such job */
export function track(slot: number, key: string, body: object, id: string, recipe: Recipe, reference: Reference, askedAt: number): Tracked {
  return {
    id, slot, key, body, recipe, reference, head: null, hadHead: false, owners: new Map(), manifests: new Map(), manifestHashes: new Map(), listing: new Map(), hashed: new Set(), verb: null, loose: false, cancelled: false, busy: false, strandedMs: 0, strandedAtMost: 0, sightings: startSightings(askedAt), waste: { judged: 0, exempt: [] }, movedAt: Date.now(), longestStillMs: 0, recovering: [], crashLoops: 0, over: false,
  };
}

/** Something that everybody depends on is struck at the moment, or was a moment ago. */
export function isStirred({ strikes }: Run, now = Date.now()): boolean {
  return strikes.some(({ kind, struck, from, to }) => struck && !['worker', 'job', 'api', 'part'].includes(KINDS[kind].aim) && now >= from && now <= (to ?? Infinity) + 2_000);
}

export const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    }
    if (signal?.aborted) done();
    else signal?.addEventListener('abort', done, { once: true });
  });
