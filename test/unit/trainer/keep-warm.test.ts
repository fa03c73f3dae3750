// A program that was compiled is kept for the next attempt of the same one, and for no other.
import { expect, test } from 'vitest';
import type { CompiledProgram, Engine, Program } from '../../../worker/trainer/engines/index.js';
import { keepWarm } from '../../../worker/trainer/engines/keep-warm.js';
import { makeToyProgram } from './support/toy-program.js';

const program = (key: string, changes: Partial<Program> = {}): Program => ({ key, lanes: { most: 4, measured: true }, sizes: { training: [4], evaluation: [] }, ...changes }) as Program;

function countingEngine() {
  const made: { key: string; closed: number; dropped: number }[] = [];
  const compile = ({ key }: Program): CompiledProgram => {
    const record = { key, closed: 0, dropped: 0 };
    made.push(record);
    return { ...makeToyProgram(), close: () => void (record.closed += 1), dropWindow: () => void (record.dropped += 1) };
  };
  return { made, engine: keepWarm({ compile } as unknown as Engine) };
}

test('the next attempt of the same program gets it again, its window dropped', () => {
  const { made, engine } = countingEngine();
  const first = engine.compile(program('a'));
  expect(first.lanes).toBe(1);
  first.close();
  first.close();
  engine.compile(program('a'));
  expect(made).toEqual([{ key: 'a', closed: 0, dropped: 1 }]);
});

test.each<[string, Program]>([
  ['another program', program('b')],
  ['other lanes', program('a', { lanes: { most: 2, measured: false } })],
  ['other sizes of batches', program('a', { sizes: { training: [4, 3], evaluation: [] } })],
])('%s is compiled, and what was kept is closed', (_, other) => {
  const { made, engine } = countingEngine();
  engine.compile(program('a')).close();
  engine.compile(other);
  expect(made).toHaveLength(2);
  expect(made[0]!.closed).toBe(1);
});

test('two that are open at a time are two, and one of them is kept', () => {
  const { made, engine } = countingEngine();
  const [one, two] = [engine.compile(program('a')), engine.compile(program('a'))];
  expect(made).toHaveLength(2);
  one.close();
  two.close();
  expect(made.map(({ closed }) => closed).sort()).toEqual([0, 1]);
});
