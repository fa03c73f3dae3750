// Whether a trainer that is ready may begin: what it read is what the job is pinned to, and it computes as the job needs it.
import type { Inputs, JobRecord } from '../../lib/contract/records.js';
import type { Ending } from '../../lib/jobs/lifecycle.js';
import type { EngineFacts } from '../protocol.js';
import { failure } from './ending.js';
import { differenceOf, type AttemptInputs, type InputHashes } from './inputs.js';

export type Readiness =
  /** To be pinned before the first micro-batch. */
  | { kind: 'suited'; inputs: Inputs }
  | { kind: 'different'; ending: Ending }
  /** Another kind of worker has to take the job. */
  | { kind: 'unsuited'; message: string };

/** @param hashes of all that the attempt reads; `pins` is null before the job's first micro-batch */
export function judgeReadiness(record: JobRecord, { course }: Pick<AttemptInputs, 'course'>, pins: Inputs | null, resumes: boolean, hashes: InputHashes, facts: EngineFacts): Readiness {
  const difference = differenceOf(hashes, pins, resumes);
  if (difference !== null) return { kind: 'different', ending: failure(difference.code, difference.message, difference.param) };
  const { gpu } = record.spec.resources;
  if (gpu === 'required' && !facts.device.startsWith('gpu')) return { kind: 'unsuited', message: `the job needs a GPU (resources.gpu), this worker has ${facts.device}` };
  const found = { data_sha256: hashes.data, init_sha256: hashes.init, train_samples: course.samples, numerics_class: facts.numericsClass, engine: facts.engine };
  if (!pins) return { kind: 'suited', inputs: { ...found, mixed: false } };
  if (pins.numerics_class === facts.numericsClass) return { kind: 'suited', inputs: pins };
  const { allow_class_change: mayChange, numerics } = record.spec.training;
  if (mayChange || numerics === 'fast') return { kind: 'suited', inputs: { ...found, init_sha256: pins.init_sha256, mixed: true } };
  return { kind: 'unsuited', message: `the job began in numerics class ${pins.numerics_class}, this worker has ${facts.numericsClass}` };
}
