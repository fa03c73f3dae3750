// What the specification names and this version does not have. It is refused by that name, never as an unknown key or
// value; building one of these means deleting its line here and adding it to spec.ts.

export interface NotSupported {
  /** Where: keys joined by dots, `*` for every element of a list. */
  path: string;
  /** Which values there are meant; `parent` is the object that they stand in. */
  matches: (value: unknown, parent: Readonly<Record<string, unknown>>) => boolean;
  /** What it is called, for the message: `<what> is not supported yet`, with the value after it where it is one of several. */
  what: string;
  /** Whether the value belongs into the message. */
  named: boolean;
  /** Which values are meant, in words, for the reference. */
  refused: string;
}

const oneOfThese = (path: string, what: string, values: readonly string[]): NotSupported => ({ path, what, named: true, refused: values.map((value) => `\`${value}\``).join(', '), matches: (value) => typeof value === 'string' && values.includes(value) });
/** A key that may only be absent or null. */
const anyValue = (path: string): NotSupported => ({ path, what: path.slice(path.lastIndexOf('.') + 1), named: false, refused: 'all but `null`', matches: (value) => value !== null });

export const NOT_SUPPORTED: readonly NotSupported[] = [
  // data
  ...['data', 'data.validation'].flatMap((data) => [
    oneOfThese(`${data}.type`, 'the data type', ['image_folder']),
    ...['augment', 'class_weight', 'sample_weight'].map((key) => anyValue(`${data}.${key}`)),
  ]),
  // model
  { path: 'model.layers.*.groups', what: 'a grouped convolution: groups', named: true, refused: 'above 1', matches: (value, { type }) => type === 'conv2d' && Number.isInteger(value) && (value as number) > 1 },
  // training
  ...['class_weight', 'sample_weight', 'augment'].map((key) => anyValue(`training.${key}`)),
  oneOfThese('training.precision', 'the precision', ['float16', 'bfloat16', 'float64', 'mixed_float16', 'mixed_bfloat16']),
  // checkpoint and resources
  oneOfThese('resources.engine', 'the engine', ['webgpu', 'cpu']),
];
