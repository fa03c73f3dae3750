// Measuring by turns: A, B, A, B …, so that whatever else the machine does falls on all sides alike.
import type { Bench } from './benchmark.js';
import { showNumber } from './report.js';

export interface Side {
  label: string;
  /** One measurement. */
  measure(): Promise<number>;
}

/** Every side `rounds` times. @returns measurements in the order of the sides, all of the same length */
export async function takeTurns(bench: Pick<Bench, 'say'>, rounds: number, sides: readonly Side[]): Promise<number[][]> {
  const values: number[][] = sides.map(() => []);
  for (let round = 1; round <= rounds; round++) {
    for (const [index, side] of sides.entries()) values[index]!.push(await side.measure());
    bench.say(`  ${round} of ${rounds}: ${sides.map(({ label }, index) => `${label} ${showNumber(values[index]!.at(-1)!)}`).join(', ')}`);
  }
  return values;
}
