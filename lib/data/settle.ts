// A source of a spec brought to this machine: described, and bound to the very bytes that were hashed. Where files come from
// is the caller's business; so is how long copies of them stay.
import { basename } from 'node:path';
import type { DataSourceSpec } from '../contract/spec.js';
import { makeDataFile } from './data-file.js';
import { describeSource } from './describe.js';
import { fingerprintBuiltin, fingerprintFile, joinedSha256, type Fingerprint } from './fingerprint.js';
import { notAsItWas, openSettled } from './locations.js';
import { naming } from './naming.js';
import { memberName } from './npz.js';
import type { DataDescription, PinnedFile, ResolvedSource } from './source.js';

export interface LocalFile {
  /** Real path. */
  path: string;
  /** Where its bytes passed by already: all members that were asked for are checked. */
  fingerprint: Fingerprint | null;
}

/**
 * The file that a location leads to, on this machine; `param` is its field in the spec. `members`: names of a zip's, to be
 * checked where its bytes are hashed.
 */
export type FetchFile = (location: string, param: string, members: readonly string[]) => Promise<LocalFile>;

export interface SettledSource {
  description: DataDescription;
  /** Its sha256 (of a set of several files: over theirs), and what a trainer reads: those bytes or nothing. Computed when called. */
  pin(): Promise<{ sha256: string; resolved: ResolvedSource }>;
}

/** `param`: `data` or `data.validation`. Errors of `fetch`, describeSource and fingerprintFile. */
export async function settleSource(source: DataSourceSpec, fetch: FetchFile, param = 'data'): Promise<SettledSource> {
  /** By field, with the identity of what was described. */
  const files = new Map<string, LocalFile & { identity: string }>();
  const members = source.type === 'npz' ? [source.x, source.y].map(memberName) : [];
  const description = await describeSource(
    source,
    async (location, field) => {
      const file = await fetch(location, field, members);
      const settled = await openSettled(file.path);
      files.set(field, { ...file, identity: settled.identity });
      return makeDataFile(settled.file, basename(file.path), field);
    },
    param,
  );

  const pinned = async (key: string): Promise<PinnedFile & Fingerprint> => {
    const field = `${param}.${key}`;
    const { path, fingerprint, identity } = files.get(field)!;
    const hashed = fingerprint ?? (await naming({ name: basename(path), param: field }, () => fingerprintFile(path, members)));
    if (hashed.identity !== identity) throw notAsItWas(path, field);
    return { path, ...hashed };
  };
  return {
    description,
    async pin() {
      switch (source.type) {
        case 'builtin': {
          const resolved = withoutNormalize(source);
          return { sha256: fingerprintBuiltin(resolved), resolved };
        }
        case 'npz': {
          const { sha256, ...file } = await pinned('path');
          return { sha256, resolved: { type: 'npz', ...file, x: source.x, y: source.y } };
        }
        case 'idx': {
          const [{ sha256: ofImages, ...images }, { sha256: ofLabels, ...labels }] = [await pinned('images'), await pinned('labels')];
          return { sha256: joinedSha256([ofImages, ofLabels]), resolved: { type: 'idx', images, labels } };
        }
      }
    },
  };
}

function withoutNormalize(source: Extract<DataSourceSpec, { type: 'builtin' }>): Extract<ResolvedSource, { type: 'builtin' }> {
  if (source.name === 'digits') return { type: 'builtin', name: 'digits' };
  const { samples, shape, classes, seed } = source;
  return { type: 'builtin', name: 'synthetic', samples, shape, classes, seed };
}
