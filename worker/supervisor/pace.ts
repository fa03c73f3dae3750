// How long stopping and saving take on this worker, by what it has measured of each program, and so until when training may go on
// after a notice. A worker's own knowledge: it outlives attempts, and nothing depends on its being there.
import { makeRecent } from '../../lib/jobs/recent.js';
import type { NoticeFacts } from './notice.js';

/** What is known of one program; milliseconds that 99 of 100 times were not exceeded. */
export interface PaceOf {
  /** Between two places where the trainer hears a stop. */
  hearMs: number;
  /** From a snapshot's boundary until it is committed. */
  saveMs: number;
}

export interface Pace {
  /** The longest a stop had to wait to be heard, of a stretch of training. */
  heard(program: string, ms: number): void;
  /** A snapshot was written and committed. */
  saved(program: string, ms: number): void;
  of(program: string): PaceOf;
}

/** Before anything is measured: a store far away, and a call that compiles. */
const ASSUMED = { hearMs: 1_000, saveMs: 5_000 };
/** Of each kind and program; older ones say little about now. */
const SAMPLES_MAX = 256;
const PROGRAMS_MAX = 64;
/** Between what a notice says and what happens, and for the end of an attempt after its commit. */
const MARGIN_MS = 2_000;

interface Samples {
  hear: number[];
  save: number[];
}

export function makePace(): Pace {
  const programs = makeRecent<Samples>(PROGRAMS_MAX);
  function samplesOf(program: string): Samples {
    const known = programs.get(program) ?? { hear: [], save: [] };
    programs.set(program, known);
    return known;
  }
  const add = (samples: number[], ms: number): void => {
    samples.push(ms);
    if (samples.length > SAMPLES_MAX) samples.shift();
  };
  return {
    heard: (program, ms) => add(samplesOf(program).hear, ms),
    saved: (program, ms) => add(samplesOf(program).save, ms),
    of: (program) => {
      const { hear, save } = programs.get(program) ?? { hear: [], save: [] };
      return { hearMs: percentile99(hear) ?? ASSUMED.hearMs, saveMs: percentile99(save) ?? ASSUMED.saveMs };
    },
  };
}

/** By nearest rank; null of nothing. */
function percentile99(samples: readonly number[]): number | null {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.99) - 1] ?? null;
}

export interface StopPlan {
  /** Until the deadline; null: there is none, and stopping is a matter of now. */
  leftMs: number | null;
  /** Training may go on for so long and a last save is still committed by the deadline, even behind one that is under way; 0: stop. */
  trainOnMs: number;
  /** What a save takes. */
  saveMs: number;
  /** What a last save is likely to lack of time if it is begun now; 0 if it fits. */
  shortfallMs: number;
}

/** What a notice leaves, in whole milliseconds. */
export function planStop({ deadlineMs, trainOn }: Pick<NoticeFacts, 'deadlineMs' | 'trainOn'>, { hearMs, saveMs }: PaceOf, nowMs: number): StopPlan {
  const leftMs = deadlineMs === null ? null : Math.max(0, Math.round(deadlineMs - nowMs));
  const stopAndSaveMs = Math.round(hearMs + saveMs);
  return {
    leftMs,
    trainOnMs: leftMs === null || !trainOn ? 0 : Math.max(0, leftMs - stopAndSaveMs - Math.round(saveMs) - MARGIN_MS),
    saveMs: Math.round(saveMs),
    shortfallMs: leftMs === null ? 0 : Math.max(0, stopAndSaveMs - leftMs),
  };
}
