// A source of a spec brought to this machine: described, and bound to the very files that were described. Where files come
// from is the caller's business; so is how long copies of them stay.
import { basename } from 'node:path';
import type { DataSourceSpec } from '../contract/spec.js';
import { makeDataFile } from './data-file.js';
import { lookAtSource } from './describe.js';
import { fingerprintBuiltin, joinedSha256, type Fingerprint } from './fingerprint.js';
import { interruptible } from './interruptible.js';
import { notNeeded, openSettled } from './locations.js';
import type { ArrayFacts } from './memory.js';
import { membersIn } from './npz.js';
import { type Pin, pinFile } from './pinned-file.js';
import type { DataDescription, ResolvedSource } from './source.js';

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
  /** Of its files; none of what is built in. */
  arrays: ArrayFacts[];
  /** What a trainer reads: those files as they were described, or nothing. */
  resolved: ResolvedSource;
  /** Its sha256 (of a set of several files: over theirs), if it was known or follows from what was hashed since; else null. */
  sha256(hashed: readonly Fingerprint[]): string | null;
}

/** `param`: `data` or `data.validation`. `signal` ends it, as `data_missing`. Errors of `fetch`, lookAtSource and pinFile. */
export async function settleSource(source: DataSourceSpec, fetch: FetchFile, param = 'data', signal: AbortSignal | null = null): Promise<SettledSource> {
  /** By field. */
  const pins = new Map<string, Pin>();
  const members = membersIn(source);
  const { description, arrays } = await lookAtSource(
    source,
    async (location, field) => {
      const { path, fingerprint } = await fetch(location, field, members);
      const settled = await openSettled(path);
      const file = makeDataFile(settled.file, basename(path), field);
      try {
        pins.set(field, pinFile(path, settled, fingerprint, members, field));
        return signal === null ? file : interruptible(file, signal, () => notNeeded(file.name));
      } catch (error) {
        await file.close();
        throw error;
      }
    },
    param,
  );
  return { description, arrays, ...boundTo(source, (key) => pins.get(`${param}.${key}`)!) };
}

function boundTo(source: DataSourceSpec, pinOf: (key: string) => Pin): Omit<SettledSource, 'description' | 'arrays'> {
  switch (source.type) {
    case 'builtin': {
      const resolved = withoutNormalize(source);
      return { resolved, sha256: () => fingerprintBuiltin(resolved) };
    }
    case 'npz': {
      const { file, sha256 } = pinOf('path');
      return { resolved: { type: 'npz', ...file, x: source.x, y: source.y }, sha256 };
    }
    case 'idx': {
      const [images, labels] = [pinOf('images'), pinOf('labels')];
      return {
        resolved: { type: 'idx', images: images.file, labels: labels.file },
        sha256(hashed) {
          const both = [images.sha256(hashed), labels.sha256(hashed)];
          return both.includes(null) ? null : joinedSha256(both as string[]);
        },
      };
    }
  }
}

function withoutNormalize(source: Extract<DataSourceSpec, { type: 'builtin' }>): Extract<ResolvedSource, { type: 'builtin' }> {
  if (source.name === 'digits') return { type: 'builtin', name: 'digits' };
  const { samples, shape, classes, seed } = source;
  return { type: 'builtin', name: 'synthetic', samples, shape, classes, seed };
}
