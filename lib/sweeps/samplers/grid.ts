// Grid search: every combination once. Points are numbered as an odometer counts: parameters in the order of the space, the last one
// turns fastest, choices in the order of the spec and numbers upwards; a parameter that a combination does not have takes no part.
// Nothing is enumerated: points are counted by what conditions can tell apart.
import type { Problem } from '../../errors.js';
import { joinPath } from '../../jobs/spec/show-value.js';
import type { Dimension, JsonValue, Params } from '../dimension.js';
import { sameValue, type Space } from '../space.js';

/** What a grid cannot have. */
export function gridProblems(space: Space, path = 'parameters'): Problem[] {
  const endless = [...space.dimensions].filter(([, dimension]) => valuesIn(dimension) === null);
  if (endless.length > 0) return endless.map(([name]) => ({ param: joinPath(path, name), message: 'is not possible in a grid, which takes value, values, int_uniform and q_uniform' }));
  return gridSize(space) <= Number.MAX_SAFE_INTEGER ? [] : [{ param: path, message: 'make a grid of more than 2⁵³ points' }];
}

/** How many points there are: exact, if it is a safe integer. */
export const gridSize = (space: Space): number => gridOf(space).size;

/** Point 0 … size − 1; null beyond. The grid has no problems. */
export const gridParams = (space: Space, index: number): Params | null => gridOf(space).at(index);

/** How many values a dimension has; null: not a grid's. */
function valuesIn(dimension: Dimension): number | null {
  if (dimension.kind === 'categorical') return dimension.probabilities === null ? dimension.choices.length : null;
  return dimension.step === null || dimension.log ? null : Math.round((dimension.high - dimension.low) / dimension.step) + 1;
}

function valueAt(dimension: Dimension, position: number): JsonValue {
  return dimension.kind === 'categorical' ? (dimension.choices[position] as JsonValue) : dimension.toValue(dimension.low + position * (dimension.step ?? 0));
}

function positionOf(dimension: Dimension, value: JsonValue): number {
  if (dimension.kind === 'categorical') return dimension.choices.findIndex((choice) => sameValue(choice, value));
  return Math.round((dimension.toCoordinate(value as number) - dimension.low) / (dimension.step ?? 1));
}

/** A row of values that no condition tells apart: `length` of them from `from` on. `mark` names the one that conditions mean. */
interface Run {
  from: number;
  length: number;
  mark: number | null;
}
interface Place {
  name: string;
  dimension: Dimension;
  runs: Run[];
  /** By the place of the other parameter: the marks under which this one is there. */
  conditions: { place: number; marks: ReadonlySet<number | null> }[];
  /** The last place whose conditions name this one; −1: none. */
  usedUntil: number;
}
/** For each place before: the mark of its value (null: any other value), or undefined where it is not there or nobody asks. */
type Marks = readonly (number | null | undefined)[];

function gridOf(space: Space): { size: number; at(index: number): Params | null } {
  const places = placesOf(space);
  const sizes = new Map<string, number>();
  const isThere = (place: Place, marks: Marks) => place.conditions.every((condition) => marks[condition.place] !== undefined && condition.marks.has(marks[condition.place] as number | null));
  const after = (marks: Marks, at: number, mark: number | null | undefined): Marks => [...marks, mark].map((each, place) => ((places[place] as Place).usedUntil > at ? each : undefined));

  /** Points of the places from `at` on. */
  const count = (at: number, marks: Marks): number => {
    const place = places[at];
    if (place === undefined) return 1;
    const key = `${at}:${marks.map((mark) => (mark === undefined ? '' : String(mark))).join()}`;
    const known = sizes.get(key);
    if (known !== undefined) return known;
    // runs that look alike to what follows count once
    const size = isThere(place, marks) ? place.runs.reduce((sum, { length, mark }) => sum + length * count(at + 1, after(marks, at, mark)), 0) : count(at + 1, after(marks, at, undefined));
    sizes.set(key, size);
    return size;
  };

  const at = (index: number): Params | null => {
    if (index >= count(0, [])) return null;
    const params: [string, JsonValue][] = [];
    let left = index;
    let marks: Marks = [];
    for (const [at, place] of places.entries()) {
      let mark: number | null | undefined;
      if (isThere(place, marks)) {
        for (const run of place.runs) {
          const each = count(at + 1, after(marks, at, run.mark));
          if (left < run.length * each) {
            params.push([place.name, valueAt(place.dimension, run.from + Math.floor(left / each))]);
            left %= each;
            mark = run.mark;
            break;
          }
          left -= run.length * each;
        }
      }
      marks = after(marks, at, mark);
    }
    return Object.fromEntries(params);
  };
  return { size: count(0, []), at };
}

function placesOf(space: Space): Place[] {
  const names = [...space.dimensions.keys()];
  const conditions = names.map((name) => space.conditions.get(name) ?? []);
  return [...space.dimensions].map(([name, dimension]) => {
    const asked = new Set(conditions.flat().filter(({ parameter }) => parameter === name).flatMap(({ values }) => values.map((value) => positionOf(dimension, value))));
    return {
      name,
      dimension,
      runs: runsOf(valuesIn(dimension) ?? 0, [...asked].sort((a, b) => a - b)),
      conditions: (space.conditions.get(name) ?? []).map(({ parameter, values }) => ({ place: names.indexOf(parameter), marks: new Set(values.map((value) => positionOf(space.dimensions.get(parameter) as Dimension, value))) })),
      usedUntil: conditions.findLastIndex((each) => each.some(({ parameter }) => parameter === name)),
    };
  });
}

function runsOf(values: number, asked: readonly number[]): Run[] {
  const runs: Run[] = [];
  let from = 0;
  for (const position of asked) {
    if (position > from) runs.push({ from, length: position - from, mark: null });
    runs.push({ from: position, length: 1, mark: position });
    from = position + 1;
  }
  if (from < values) runs.push({ from, length: values - from, mark: null });
  return runs;
}
