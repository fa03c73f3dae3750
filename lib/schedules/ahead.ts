// Schedules that are due soon: their HEADs are read before their time, and what can be worked out of a start beforehand is. Whether HEAD
// still is so at its time the swap of it finds out.
import type { ScheduleHead } from '../contract/schedule.js';
import { makeDueHeap } from './due-heap.js';
import type { ScheduleRecord } from './record.js';

export interface AheadDeps {
  /** @throws AppError store_unavailable */
  read(schedule: string): Promise<ScheduleRecord | null>;
  /** Works out ahead what can be of a start, by the HEAD that it will have unless somebody changes it. */
  prepare(head: ScheduleHead): void;
  /** One was read, and may not be what it was thought to be: whether it still is to be ready. */
  isExpected(schedule: string, record: ScheduleRecord): boolean;
  failed(schedule: string, error: unknown): void;
}

export interface Ahead {
  /** When a schedule will be due, and by which HEAD. */
  expect(schedule: string, record: ScheduleRecord, dueMs: number, nowMs: number): void;
  /** HEAD as it was not long ago, and no longer expected; null if it is not known. */
  take(schedule: string): ScheduleRecord | null;
  /** When there is something to read next. */
  firstMs(): number;
  /** Reads what is to be read by then, a few at a time; `then` each time that one is done. */
  readOn(nowMs: number, then: () => void): void;
  /** Resolves once nothing is being read. */
  idle(): Promise<void>;
}

const AHEAD_MS = 10_000;
const WIDTH = 4;
/** In memory at a time; more are read when they are due. */
const READY_MOST = 2_000;

export function makeAhead({ read, prepare, isExpected, failed }: AheadDeps): Ahead {
  /** To be made ready. */
  const coming = makeDueHeap();
  const ready = new Map<string, ScheduleRecord>();
  const reading = new Set<Promise<void>>();
  const hasRoom = (schedule: string): boolean => ready.size < READY_MOST || ready.has(schedule);

  async function makeReady(schedule: string): Promise<void> {
    if (!hasRoom(schedule)) return;
    try {
      const record = ready.get(schedule) ?? (await read(schedule));
      if (!record || !isExpected(schedule, record) || !hasRoom(schedule)) return;
      prepare(record.head);
      ready.set(schedule, record);
    } catch (error) {
      failed(schedule, error);
    }
  }

  return {
    expect: (schedule, record, dueMs, nowMs) => {
      const isSoon = dueMs - nowMs <= AHEAD_MS && hasRoom(schedule);
      if (isSoon) ready.set(schedule, record);
      else ready.delete(schedule);
      coming.set(schedule, isSoon ? nowMs : dueMs - AHEAD_MS);
    },
    take: (schedule) => {
      const record = ready.get(schedule) ?? null;
      ready.delete(schedule);
      coming.delete(schedule);
      return record;
    },
    firstMs: coming.firstMs,
    readOn: (nowMs, then) => {
      while (reading.size < WIDTH) {
        const schedule = coming.takeDue(nowMs);
        if (schedule === null) return;
        const done = makeReady(schedule).then(() => {
          reading.delete(done);
          then();
        });
        reading.add(done);
      }
    },
    idle: async () => {
      while (reading.size > 0) await Promise.all(reading);
    },
  };
}
