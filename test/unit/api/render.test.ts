// What people see: short, never wider than asked for, and never steering their terminal.
import { describe, expect, it } from 'vitest';
import { bytes, clean, duration, figure, progressLine, table } from '../../../api/cli/render.js';
import { changed } from '../../../api/cli/commands/submit.js';
import type { JobListItem } from '../../../lib/contract/job.js';

const progress = { epoch: 1, position: 0, micro_batches: 150, window_position: 0, updates: 30, total_updates: 57, samples: 1500, loss: 0.31249, metrics: { accuracy: 0.9123 }, samples_per_second: 1234.5, eta_seconds: 75, percent: 52.08 };
const job = (more: object = {}): JobListItem & { attempts: unknown[] } => ({ status: 'running', progress: { ...progress, ...more }, attempts: [1, 2] }) as unknown as JobListItem & { attempts: unknown[] };

describe('the progress bar', () => {
  it('says what counts, and fills what room there is', () => {
    expect(progressLine(job(), 160)).toBe(`running [${'█'.repeat(20)}${'░'.repeat(20)}] 52.1% · update 30/57 · epoch 1 · loss 0.312 · accuracy 0.912 · 1235 samples/s · ETA 1m15s · attempt 2`);
    expect(progressLine(job({ total_updates: null, loss: null, metrics: {}, samples_per_second: null, eta_seconds: null }), 160)).toMatch(/\] 52\.1% · update 30 · epoch 1 · attempt 2$/);
  });

  it('is never wider than the terminal', () => {
    for (let columns = 1; columns < 200; columns++) expect([...progressLine(job(), columns)].length).toBeLessThanOrEqual(columns);
    expect(progressLine(job(), 60)).not.toContain('█');
  });
});

describe('numbers and names', () => {
  it('are short', () => {
    expect([0, 1, 57, 123.456, 0.0312345, 0.00001234, -2.5, 1e9, null].map(figure)).toEqual(['0', '1', '57', '123', '0.0312', '1.23e-5', '-2.50', '1000000000', '–']);
    expect([0, 59.6, 75, 3_599, 3_600, 90_061].map(duration)).toEqual(['0s', '1m00s', '1m15s', '59m59s', '1h00m', '25h01m']);
    expect([0, 1_023, 1_024, 5_500_000].map(bytes)).toEqual(['0 B', '1023 B', '1.0 KiB', '5.2 MiB']);
  });

  it('cannot steer a terminal', () => {
    expect(clean('a\u001b[2Jb\u0007\u009bc\nd')).toBe('a?[2Jb??c?d');
    expect(table(['NAME'], [['x\u001b]0;y\u0007']])).not.toMatch(/[\u001b\u0007]/);
  });
});

describe('--set', () => {
  it('changes one value and nothing else', () => {
    const spec = { a: { b: 1 }, list: [{ x: 1 }, { x: 2 }] };
    expect(changed(spec, ['a.b=2', 'a.c.d=text', 'list.1.x=[1]', 'e=null', 'f=a=b'])).toEqual({ a: { b: 2, c: { d: 'text' } }, list: [{ x: 1 }, { x: [1] }], e: null, f: 'a=b' });
    expect(spec).toEqual({ a: { b: 1 }, list: [{ x: 1 }, { x: 2 }] });
    expect(Object.keys(changed({}, ['__proto__.x=1']) as object)).toEqual(['__proto__']);
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  it.each(['a', '=1', '.a=1', 'a..b=1', 'list.5=1', 'a.b.c=1'])('refuses %s', (assignment) => {
    expect(() => changed({ a: { b: 1 }, list: [1] }, [assignment])).toThrow(/--set/);
  });
});
