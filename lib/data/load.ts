// Brings a settled data source into memory.
import { loadDigits } from './digits.js';
import { DEFAULT_MAX_BYTES, loadNpz } from './npz.js';
import type { Dataset, ResolvedSource } from './source.js';
import { makeSynthetic } from './synthetic.js';

export interface LoadOptions {
  /** Most bytes of samples and labels together, decompressed. Default 8 GiB. */
  maxBytes?: number;
}

/** All samples of a source, raw, in file order. AppError `invalid_data`, `data_missing`, `data_changed` (the path leads elsewhere now) or `oom`. */
export async function loadSource(resolved: ResolvedSource, { maxBytes = DEFAULT_MAX_BYTES }: LoadOptions = {}): Promise<Dataset> {
  if (resolved.type === 'npz') return loadNpz(resolved.path, resolved, { maxBytes });
  return resolved.name === 'digits' ? loadDigits() : makeSynthetic(resolved, maxBytes);
}
