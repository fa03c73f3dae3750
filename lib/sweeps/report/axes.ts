// A parameter as an axis of a plot: numbers, logarithmic where its space is, or choices by their place in a list. Pure.
import type { ParameterInput, SweepSpec } from '../../contract/sweep.js';
import { canonicalJson } from '../../training/canonical-json.js';
import type { JsonValue } from '../dimension.js';
import { isConstant } from '../samplers/axis.js';
import type { Space } from '../space.js';

interface NumberAxis {
  name: string;
  kind: 'number';
  log: boolean;
  low: number;
  high: number;
}
interface ChoiceAxis {
  name: string;
  kind: 'choice';
  /** As a reader sees them. */
  choices: string[];
  /** Places in `choices`, by what the choice is as JSON. */
  places: ReadonlyMap<string, number>;
}
export type ReportAxis = NumberAxis | ChoiceAxis;

type Params = Readonly<Record<string, unknown>>;

/** More choices than that are shown only if a trial had them. */
const CHOICES_MAX = 30;
const LABEL_MAX = 32;

/** Of everything that is searched; a constant is not. */
export function axesOf(spec: Pick<SweepSpec, 'parameters'>, space: Space, params: readonly Params[]): ReportAxis[] {
  const logarithmic = new Set(distributionsOf(spec.parameters).flatMap(([name, distribution]) => (distribution === 'log_normal' || distribution === 'q_log_normal' ? [name] : [])));
  return [...space.dimensions].flatMap(([name, dimension]): ReportAxis[] => {
    if (isConstant(dimension)) return [];
    const seen = params.flatMap((each) => (Object.hasOwn(each, name) ? [each[name] as JsonValue] : []));
    if (dimension.kind === 'categorical') return [choiceAxis(name, dimension.choices, seen)];
    const numbers = seen.filter((value) => typeof value === 'number');
    // Of a distribution with tails the ends are as good as never drawn.
    const ends = space.tails.has(name) ? [] : [dimension.toValue(dimension.low), dimension.toValue(dimension.high)];
    const [low, high] = extentOf([...ends, ...numbers]);
    return [{ name, kind: 'number', log: (dimension.log || logarithmic.has(name)) && low > 0, low, high }];
  });
}

/** Where a trial lies on it; null if it does not have the parameter. */
export function placeOn(axis: ReportAxis, params: Params): number | null {
  if (!Object.hasOwn(params, axis.name)) return null;
  const value = params[axis.name] as JsonValue;
  if (axis.kind === 'choice') return axis.places.get(canonicalJson(value)) ?? null;
  return typeof value === 'number' ? value : null;
}

function choiceAxis(name: string, choices: readonly JsonValue[], seen: readonly JsonValue[]): ChoiceAxis {
  const texts = new Set(seen.map((value) => canonicalJson(value)));
  const all = choices.map((choice) => [canonicalJson(choice), labelOf(choice)] as const);
  const shown = all.length <= CHOICES_MAX ? all : all.filter(([text]) => texts.has(text));
  return { name, kind: 'choice', choices: shown.map(([, label]) => label), places: new Map(shown.map(([text], place) => [text, place])) };
}

/** Such as `adam`, `[32,64]`: not longer than an axis can bear. */
export function labelOf(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length <= LABEL_MAX ? text : `${text.slice(0, LABEL_MAX - 1)}…`;
}

function extentOf(numbers: readonly number[]): [low: number, high: number] {
  if (numbers.length === 0) return [0, 1];
  return numbers.reduce<[number, number]>(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
}

/** By whole names, groups resolved. */
function distributionsOf(parameters: Readonly<Record<string, ParameterInput>>, prefix = ''): [name: string, distribution: string | undefined][] {
  return Object.entries(parameters).flatMap(([key, config]): [string, string | undefined][] => (config.parameters === undefined ? [[`${prefix}${key}`, config.distribution]] : distributionsOf(config.parameters, `${prefix}${key}.`)));
}
