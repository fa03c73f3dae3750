// Where the matrix cuts a training: all places and combinations, and which of them run by themselves, in continuous integration and in
// the long proof. Pure.
import { permutationOf } from '../../../lib/training/permutation.js';
import { bitsAt, keyOf, uniformAt } from '../../../lib/training/random.js';
import type { Cut } from './run-training.js';

export type Engine = 'tensorflow' | 'wasm';
/** What PAWL_MATRIX says; a few: nothing. */
export type Extent = 'few' | 'ci' | 'all';

export interface Cuttable {
  name: string;
  microBatches: number;
  /** Batches of both validations together. */
  validationBatches: number;
  /** Cuts that always run. */
  few: Cut[][];
  /**
   * In continuous integration each single cut is made on one of the engines, beside a random pair and triple; the large models have all
   * of them on both.
   */
  light?: boolean;
}

export const notice = (at: number): Cut => ({ kind: 'notice', at });
export const kill = (at: number): Cut => ({ kind: 'kill', at });

/** Seeds of random pairs, and of triples. */
const SEEDS = 40;
const CI_SEEDS = 10;

export function chosen(given: Cuttable, engine: Engine, extent: Extent): Cut[][] {
  switch (extent) {
    case 'few':
      return given.few;
    case 'ci': {
      if (given.light !== true) return unique([...given.few, ...singles(given), ...random(given, 2, 0, CI_SEEDS), ...random(given, 3, 0, CI_SEEDS)]);
      const seed = Math.floor(uniformAt(keyOf(2, `light/${given.name}/${engine}`), 0) * SEEDS);
      return unique([...given.few, ...singles(given).filter((cuts) => engineOf(cuts[0]!) === engine), ...random(given, 2, seed, 1), ...random(given, 3, seed, 1)]);
    }
    case 'all':
      return unique([...all(given), ...everyPair(given), ...random(given, 2, 0, SEEDS), ...random(given, 3, 0, SEEDS)]);
  }
}

/** Which engine makes a single cut of a light model: in twos, so that each has both kinds after even and odd micro-batches, at snapshots and between them. */
function engineOf(cut: Cut): Engine {
  const place = 'at' in cut ? cut.at : cut.atValidationBatch;
  return (Math.floor(place / 2) + (cut.kind === 'kill' ? 1 : 0)) % 2 === 0 ? 'tensorflow' : 'wasm';
}

export function singles({ microBatches, validationBatches }: Cuttable): Cut[][] {
  const places = upTo(microBatches);
  return [
    ...places.map((at) => [notice(at)]),
    ...places.map((at) => [kill(at)]),
    ...upTo(validationBatches).flatMap((atValidationBatch): Cut[][] => [[{ kind: 'notice', atValidationBatch }], [{ kind: 'kill', atValidationBatch }]]),
  ];
}

/** Every single cut, every neighbouring pair, and triples across the whole training. */
function all(given: Cuttable): Cut[][] {
  const places = upTo(given.microBatches);
  return [
    ...singles(given),
    ...places.slice(1).map((at) => [notice(at - 1), notice(at)]),
    ...places.slice(1).map((at) => [kill(at), kill(at)]),
    ...places.slice(2).map((at) => [notice(at - 2), kill(at - 1), notice(at)]),
    ...places.slice(2, 8).map((at) => [notice(at - 2), kill(at + 3), notice(at + 6)]),
  ];
}

/** Pairs and triples of a seeded choice: later cuts lie behind earlier ones, so that every one of them can strike. */
function random({ microBatches }: Cuttable, size: 2 | 3, from: number, count: number): Cut[][] {
  return Array.from({ length: count }, (_, nth) => {
    const seed = from + nth;
    const places = permutationOf(seed, size, microBatches).slice(0, size).map((place) => place + 1);
    return [...new Set(places)].sort((a, b) => a - b).map((at, cut) => (bitsAt(keyOf(seed, 'kinds', size), cut) % 2 === 0 ? notice(at) : kill(at)));
  });
}

function everyPair({ microBatches }: Cuttable): Cut[][] {
  const places = upTo(microBatches);
  const kinds = [notice, kill];
  return places.flatMap((first) => places.filter((second) => second > first).map((second) => [kinds[(first + second) % 2]!(first), kinds[Math.floor((first + second) / 2) % 2]!(second)]));
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
const unique = (cuts: Cut[][]): Cut[][] => [...new Map(cuts.map((cut) => [show(cut), cut])).values()];

export const show = (cuts: readonly Cut[]): string => cuts.map((cut) => ('at' in cut ? `${cut.kind} after ${cut.at}` : `${cut.kind} in validation batch ${cut.atValidationBatch}`)).join(', ');
