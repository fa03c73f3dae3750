import { describe, expect, it } from 'vitest';
import { makePace, planStop } from '../../../worker/supervisor/pace.js';

describe('what a worker has measured', () => {
  it('is assumed until then', () => {
    expect(makePace().of('a')).toEqual({ hearMs: 1_000, saveMs: 5_000 });
  });

  it('is what 99 of 100 did not exceed, a program at a time, of the last ones', () => {
    const pace = makePace();
    for (let ms = 1; ms <= 200; ms++) pace.heard('a', ms);
    pace.saved('a', 40);
    pace.saved('b', 900);
    expect([pace.of('a'), pace.of('b').saveMs]).toEqual([{ hearMs: 198, saveMs: 40 }, 900]);
    for (let n = 0; n < 256; n++) pace.heard('a', 7);
    expect(pace.of('a').hearMs).toBe(7);
  });

  it('is forgotten of programs that were not trained for long', () => {
    const pace = makePace();
    for (let n = 0; n < 70; n++) pace.saved(`program ${n}`, 10);
    expect([pace.of('program 0').saveMs, pace.of('program 69').saveMs]).toEqual([5_000, 10]);
  });
});

describe('a notice', () => {
  const known = { hearMs: 300, saveMs: 700 };

  it('lets training go on until stopping, a save under way and a last one just fit', () => {
    expect(planStop({ deadlineMs: 31_000, trainOn: true }, known, 1_000)).toEqual({ leftMs: 30_000, trainOnMs: 30_000 - 300 - 1_400 - 2_000, saveMs: 700, shortfallMs: 0 });
    expect(planStop({ deadlineMs: 4_000, trainOn: true }, known, 1_000).trainOnMs).toBe(0);
  });

  it('is one to stop at once without a deadline, or where somebody waits', () => {
    expect(planStop({ deadlineMs: null, trainOn: true }, known, 1_000)).toEqual({ leftMs: null, trainOnMs: 0, saveMs: 700, shortfallMs: 0 });
    expect(planStop({ deadlineMs: 31_000, trainOn: false }, known, 1_000).trainOnMs).toBe(0);
  });

  it('falls short by what stopping and one save do not get', () => {
    const lack = (nowMs: number): number => planStop({ deadlineMs: 10_000, trainOn: true }, known, nowMs).shortfallMs;
    expect([lack(9_000), lack(9_400), lack(11_000)]).toEqual([0, 400, 1_000]);
  });
});
