// What a source of a spec is: its samples, shape and classes, from headers and labels alone. Reads as little as possible.
import type { DataSourceSpec } from '../contract/spec.js';
import { DIGITS_DESCRIPTION } from './digits.js';
import { describeSet, factsOf, type FileSet, MAX_UNPACKED_BYTES } from './file-set.js';
import { openIdx } from './idx.js';
import type { ArrayFacts } from './memory.js';
import { openNpz } from './npz.js';
import type { ByteSource, DataDescription } from './source.js';
import { describeSynthetic } from './synthetic.js';

/** By its key in the source. */
export function locationsOf(source: DataSourceSpec): [key: string, location: string][] {
  switch (source.type) {
    case 'npz':
      return [['path', source.path]];
    case 'idx':
      return [['images', source.images], ['labels', source.labels]];
    case 'builtin':
      return [];
  }
}

/** Opens what a location leads to; `param` is its field in the spec. */
export type OpenSource = (location: string, param: string) => Promise<ByteSource>;

export interface SourceLook {
  description: DataDescription;
  /** Of its files; none of what is built in. */
  arrays: ArrayFacts[];
}

/**
 * `param`: where the source is in the spec, `data` or `data.validation`.
 * AppError `invalid_data`, `oom`, and what `open` and its reads reject with; `param` names the field.
 */
export async function lookAtSource(source: DataSourceSpec, open: OpenSource, param = 'data'): Promise<SourceLook> {
  const opened: ByteSource[] = [];
  const openAt: OpenSource = async (location, key) => {
    const bytes = await open(location, `${param}.${key}`);
    opened.push(bytes);
    return bytes;
  };
  try {
    return await look(source, openAt, param);
  } finally {
    for (const bytes of opened) await bytes.close();
  }
}

/** The same for whoever does not load it. */
export const describeSource = async (...of: Parameters<typeof lookAtSource>): Promise<DataDescription> => (await lookAtSource(...of)).description;

async function look(source: DataSourceSpec, openAt: OpenSource, param: string): Promise<SourceLook> {
  switch (source.type) {
    case 'npz':
      return lookAtSet(await openNpz(await openAt(source.path, 'path'), source));
    case 'idx':
      return lookAtSet(await openIdx(await openAt(source.images, 'images'), await openAt(source.labels, 'labels')));
    case 'builtin':
      return { description: source.name === 'digits' ? DIGITS_DESCRIPTION : describeSynthetic(source, MAX_UNPACKED_BYTES, param), arrays: [] };
  }
}

const lookAtSet = async (set: FileSet): Promise<SourceLook> => ({ description: await describeSet(set), arrays: factsOf(set) });
