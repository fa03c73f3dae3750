// What a sweep's file means: YAML and JSON alike, with real bounds as they are written.
import { describe, expect, it } from 'vitest';
import { parseSweepFile } from '../../../api/cli/sweep-file.js';
import { isAppError } from '../../../lib/errors.js';

const parametersOf = (text: string) => (parseSweepFile(text, 'sweep.yaml') as { parameters: unknown }).parameters;
function refusal(text: string): string {
  try {
    parseSweepFile(text, 'sweep.yaml');
  } catch (error) {
    if (isAppError(error, 'invalid_request')) return error.message;
    throw error;
  }
  return 'taken';
}

describe('a sweep’s file', () => {
  it.each([
    ['integers', 'parameters: { x: { min: 0, max: 1 } }', { x: { min: 0, max: 1 } }],
    ['a decimal point', 'parameters:\n  x:\n    min: 0.0\n    max: 1', { x: { min: 0, max: 1, distribution: 'uniform' } }],
    ['an exponent', 'parameters: { x: { min: 1, max: 1e3 } }', { x: { min: 1, max: 1_000, distribution: 'uniform' } }],
    ['a sign and no leading digit', 'parameters: { x: { min: -.0, max: 1 } }', { x: { min: -0, max: 1, distribution: 'uniform' } }],
    ['JSON', '{"parameters": {"x": {\n\t"min": 0.0,\n\t"max": 1}}}', { x: { min: 0, max: 1, distribution: 'uniform' } }],
    ['hexadecimal digits', 'parameters: { x: { min: 0x0e, max: 0xee } }', { x: { min: 14, max: 238 } }],
    ['texts', 'parameters: { x: { min: "0.0", max: 1 } }', { x: { min: '0.0', max: 1 } }],
    ['a distribution', 'parameters: { x: { distribution: q_uniform, min: 0.0, max: 1 } }', { x: { distribution: 'q_uniform', min: 0, max: 1 } }],
    ['a value', 'parameters: { x: { value: 1.0 } }', { x: { value: 1 } }],
    ['a group', 'parameters: { x: { parameters: { y: { min: 1.0, max: 2 } } } }', { x: { parameters: { y: { min: 1, max: 2, distribution: 'uniform' } } } }],
    ['anchors and merge keys', 'common: &c { max: 1 }\nparameters: { x: { <<: *c, min: 0.5 } }', { x: { max: 1, min: 0.5, distribution: 'uniform' } }],
    ['numbers that YAML 1.1 takes for texts', 'parameters: { x: { values: [1e-5, 1.0e-5] } }', { x: { values: [1e-5, 1e-5] } }],
  ])('with %s', (_, text, parameters) => {
    expect(parametersOf(text)).toEqual(parameters);
  });

  it('that cannot be read is refused by its name', () => {
    expect(refusal('method: [')).toMatch(/^sweep\.yaml: is neither YAML nor JSON: /);
    expect(refusal('method: grid\nmethod: random')).toMatch(/Map keys must be unique/);
    for (const text of ['', '5', '- method', 'null']) expect(refusal(text)).toBe('sweep.yaml: is no sweep: an object is expected');
    expect(refusal(`a: &a [x]\nb: &b [${Array(60).fill('*a').join()}]\nc: [${Array(60).fill('*b').join()}]`)).toMatch(/^sweep\.yaml: cannot be read: /);
  });
});
