import { expect, it } from 'vitest';
import { resolvePreview, resolveSchedule } from '../../../lib/schedules/resolve.js';

const now = new Date('2026-05-01T12:00:00Z');
const problemsOf = (input: unknown): string[] => {
  const resolved = resolveSchedule(input, now);
  return 'problems' in resolved ? resolved.problems.map(({ param, message }) => `${param}: ${message}`) : [];
};

it('writes every default and every duration in seconds, and leaves alone what is to be started', () => {
  const job = { model: { layers: [{ type: 'dense' }] }, anything: [null, 1] };
  expect(resolveSchedule({ cron: ' 0  2 * * 1-5', job }, now)).toEqual({
    spec: { name: null, cron: '0 2 * * 1-5', timezone: 'UTC', dst: { gap: 'shift', overlap: 'first' }, overlap_policy: 'skip', catchup_window: 600, jitter: 0, pause_on_failure: false, job, sweep: null },
    paused: false,
    warnings: [],
  });
  expect(resolveSchedule({ name: 'n', cron: '0 0 2 * 1', timezone: 'Europe/Berlin', overlap_policy: 'buffer_all', catchup_window: '6h', jitter: 90, dst: { gap: 'skip' }, pause_on_failure: true, paused: true, sweep: { method: 'grid' } }, now)).toEqual({
    spec: { name: 'n', cron: '0 0 2 * 1', timezone: 'Europe/Berlin', dst: { gap: 'skip', overlap: 'first' }, overlap_policy: 'buffer_all', catchup_window: 21_600, jitter: 90, pause_on_failure: true, job: null, sweep: { method: 'grid' } },
    paused: true,
    warnings: [expect.stringContaining('both a day of month and a day of week')],
  });
});

it.each([
  [{ job: {} }, ['cron: is required']],
  [{ cron: '0 0 * * *' }, ['job: either job or sweep is required']],
  [{ cron: '0 0 * * *', job: {}, sweep: {} }, ['job: both job and sweep are given']],
  [{ cron: '0 0 * * *', job: {}, overlap_policy: 'replace' }, ['overlap_policy: ']],
  [{ cron: '0 0 * * *', job: {}, dst: { gap: 'first' } }, ['dst.gap: ']],
  [{ cron: '0 0 * * *', job: {}, catchup: '1m' }, ['catchup: ']],
  [{ cron: '0 0 * * *', job: {}, catchup_window: '9s' }, ['catchup_window: "9s" is out of range; allowed is from 10s to 30d']],
  [{ cron: '0 0 * * *', job: {}, catchup_window: 'soon' }, ['catchup_window: ']],
  [{ cron: '0 0 * * *', job: {}, jitter: '2d' }, ['jitter: "2d" is out of range; allowed is from 0s to 1d']],
  [{ cron: '0 0 30 2 *', timezone: 'Nowhere', job: {} }, ['timezone: "Nowhere" is no time zone', 'cron: "0 0 30 2 *" never fires']],
  ['nightly', [': ']],
])('refuses %j and says what is allowed', (input, expected) => {
  const found = problemsOf(input);
  expect(found).toHaveLength(expected.length);
  found.forEach((message, index) => expect(message).toContain(expected[index]));
});

it('reads a preview: from now on or from another time, ten fires or as many as are asked for', () => {
  const resolved = resolvePreview({ cron: '0 0 * * *' }, now);
  expect(resolved).toEqual({ rule: { cron: '0 0 * * *', timezone: 'UTC', dst: { gap: 'shift', overlap: 'first' } }, from: now, count: 10, warnings: [] });
  expect(resolvePreview({ cron: '0 0 * * *', timezone: 'Asia/Tokyo', from: '2027-01-01T00:00:00Z', count: 3 }, now)).toMatchObject({ rule: { timezone: 'Asia/Tokyo' }, from: new Date('2027-01-01T00:00:00Z'), count: 3 });
  expect(resolvePreview({ cron: '0 0 31 6 *' }, now)).toMatchObject({ problems: [{ param: 'cron' }] });
  expect(resolvePreview({ cron: '0 0 * * *', count: 0 }, now)).toMatchObject({ problems: [{ param: 'count' }] });
});
