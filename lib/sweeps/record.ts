// What the store holds of a sweep beside its log. Pure.
import type { ScheduleReference } from '../contract/records.js';
import type { SweepSpec } from '../contract/sweep.js';
import type { Problem } from '../errors.js';
import type { WarmStart } from './warm-start.js';

/** sweeps/<id>/sweep.json. */
export interface SweepRecord {
  id: string;
  created_at: string;
  spec: SweepSpec;
  schedule: ScheduleReference | null;
  /** What it took from another sweep; absent where its spec names none. */
  warm_start?: WarmStart | null;
  /** What was seen to be allowed and surely not meant when it was taken in, by the data of then; absent: nothing. */
  noted?: readonly Problem[];
}
