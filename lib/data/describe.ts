// What a source of a spec is: its description, where it really lies, and the hash of its bytes. Reads as little as possible.
import type { DataSourceSpec } from '../contract/spec.js';
import { DIGITS_DESCRIPTION } from './digits.js';
import { fingerprintSource } from './fingerprint.js';
import { resolveLocation } from './locations.js';
import { DEFAULT_MAX_BYTES, describeNpz } from './npz.js';
import type { DataDescription, ResolvedSource } from './source.js';
import { describeSynthetic } from './synthetic.js';

export interface DescribedSource {
  description: DataDescription;
  resolved: ResolvedSource;
  /** sha256 of the source's bytes (built-in: of its name, version and parameters); computed when called. */
  sha256(): Promise<string>;
}

export interface DescribeOptions {
  /** What its arrays may take of memory where it will be trained on: a compressed array that does not fit is refused at once. */
  memoryBytes?: number;
}

/**
 * `roots`: the folders that locations are relative to. `param`: where the source is in the spec, `data` or `data.validation`.
 * AppError `invalid_location` or `not_supported` (param `<param>.path`), `data_missing`, `invalid_data`, `data_changed`, `oom`.
 */
export async function describeSource(source: DataSourceSpec, roots: readonly string[], param = 'data', options: DescribeOptions = {}): Promise<DescribedSource> {
  const resolved = await resolveSource(source, roots, param);
  return { description: await describeResolved(resolved, param, options), resolved, sha256: () => fingerprintSource(resolved) };
}

/** The source without its normalisation, its location settled. Errors of resolveLocation. */
async function resolveSource(source: DataSourceSpec, roots: readonly string[], param: string): Promise<ResolvedSource> {
  if (source.type === 'npz') return { type: 'npz', path: await resolveLocation(source.path, roots, `${param}.path`), x: source.x, y: source.y };
  if (source.name === 'digits') return { type: 'builtin', name: 'digits' };
  const { samples, shape, classes, seed } = source;
  return { type: 'builtin', name: 'synthetic', samples, shape, classes, seed };
}

async function describeResolved(resolved: ResolvedSource, param: string, options: DescribeOptions): Promise<DataDescription> {
  if (resolved.type === 'npz') return describeNpz(resolved.path, resolved, options);
  return resolved.name === 'digits' ? DIGITS_DESCRIPTION : describeSynthetic(resolved, DEFAULT_MAX_BYTES, param);
}
