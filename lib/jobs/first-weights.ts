// First weights from a file (model.init.from): whether they are a model's, by the file's header alone.
import { readSafetensorsHeaderOf, type SafetensorsSource } from '../checkpoints/safetensors.js';
import type { Problem } from '../errors.js';
import type { ModelPlan } from '../model/plan.js';
import { checkState, expectedWeights } from '../model/slots.js';

/** The field that names the file. */
export const FIRST_WEIGHTS = 'model.init.from';

/**
 * Read and compared by whoever takes the job in, between other callers' requests. 1000 layers of four weights with the longest
 * names and shapes take less than a quarter of it; what the format allows would take seconds, and a gigabyte.
 */
const MAX_HEADER_BYTES = 4 * 1024 ** 2;

/** @param plan null where the model is not known: only the file's structure is looked at. @throws AppError invalid_data if it is no such file */
export async function firstWeightsProblems(file: SafetensorsSource, plan: ModelPlan | null): Promise<Problem[]> {
  const { entries } = await readSafetensorsHeaderOf(file, { code: 'invalid_data', maxHeaderBytes: MAX_HEADER_BYTES });
  if (plan === null) return [];
  return checkState(expectedWeights(plan), new Map(entries.map((entry) => [entry.name, entry]))).map(({ message }) => ({ param: FIRST_WEIGHTS, message }));
}
