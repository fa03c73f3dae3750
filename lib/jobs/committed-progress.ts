// How far a job is by its latest commit, for when no living owner says it: from the manifest's cursor, and the course of the
// training where this machine can see the data.
import type { Progress } from '../contract/job.js';
import type { Head, JobRecord, Manifest } from '../contract/records.js';
import type { JobSpec } from '../contract/spec.js';
import { describeSource } from '../data/describe.js';
import { openLocation, type DataPlaces } from '../data/places.js';
import { splitCounts } from '../data/validation.js';
import { isAppError } from '../errors.js';
import type { Store } from '../store/index.js';
import { type Course, courseOf } from '../training/course.js';
import { progressOf, startCursor } from '../training/cursor.js';
import type { Cursor } from '../training/state.js';
import { makeRecent } from './recent.js';
import { loadManifest } from './restore.js';

/** Reads the newest retained manifest that is whole; null without one. A damaged one is a worker's to judge: here it is passed over. */
async function latestManifest(store: Pick<Store, 'get'>, job: string, head: Head): Promise<Manifest | null> {
  for (const commit of [...head.retained].reverse()) {
    try {
      return await loadManifest(store, job, commit);
    } catch (error) {
      if (!isAppError(error, 'checkpoint_corrupt')) throw error;
    }
  }
  return null;
}

export interface Manifests {
  latest(job: string, head: Head): Promise<Manifest | null>;
}

/** The latest manifests, read once: they never change. */
export function makeManifests(store: Pick<Store, 'get'>): Manifests {
  const known = makeRecent<Manifest>(200);
  return {
    latest: async (job, head) => {
      const newest = head.retained.at(-1);
      if (!newest) return null;
      const held = known.get(newest.manifest_sha256);
      if (held) return held;
      const manifest = await latestManifest(store, job, head);
      if (manifest?.id === newest.id) known.set(newest.manifest_sha256, manifest);
      return manifest;
    },
  };
}

export interface Courses {
  /** Null where the data is not on this machine. */
  of(record: JobRecord): Promise<Course | null>;
  /** Only if no file has to be read for it: for lists. */
  ifCheap(record: JobRecord): Promise<Course | null>;
}

/** Data that was not here may come. */
const LOOK_AGAIN_MS = 60_000;

/** Courses of jobs, worked out once each: a job's data never changes. */
export function makeCourses(places: DataPlaces): Courses {
  const known = makeRecent<{ course: Course | null; until: number }>(2_000);
  async function of({ id, spec }: JobRecord): Promise<Course | null> {
    const held = known.get(id);
    if (held && (held.course !== null || performance.now() < held.until)) return held.course;
    const course = await courseOfSpec(spec, places).catch(() => null);
    known.set(id, { course, until: performance.now() + LOOK_AGAIN_MS });
    return course;
  }
  return { of, ifCheap: async (record) => (record.spec.data.type === 'builtin' ? of(record) : (known.get(record.id)?.course ?? null)) };
}

async function courseOfSpec({ data, training }: JobSpec, places: DataPlaces): Promise<Course> {
  const description = await describeSource(data, (location, param) => openLocation(places, location, param));
  const split = data.validation !== null && 'split' in data.validation ? data.validation.split : null;
  return courseOf(training, split === null ? description.samples : splitCounts(description.samples, split).train);
}

/** The course of a job that has begun, wherever its data is; null if HEAD does not know it. */
export function begunCourse({ spec }: JobRecord, head: Head): Course | null {
  const samples = head.inputs?.train_samples ?? null;
  return samples === null ? null : courseOf(spec.training, samples);
}

/** @param course null where it is not known: then there is no total, and samples count full micro-batches */
export function progressAt(cursor: Cursor | null, course: Course | null, batchSize: number): Progress {
  const { epoch, position, micro_batches, window_position, updates } = cursor ?? startCursor();
  const counts = course
    ? progressOf({ ...startCursor(), epoch, position, micro_batches, window_position, updates }, course)
    : { epoch, position, micro_batches, window_position, updates, total_updates: null, samples: micro_batches * batchSize, percent: 0 };
  return { ...counts, loss: null, metrics: {}, samples_per_second: null, eta_seconds: null };
}
