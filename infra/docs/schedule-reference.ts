// The part of docs/spec-reference.md that is about schedules: every field as the schemas of lib/contract have it. Here are only what
// holds between fields, and the limits.
import { BACKFILL_MAX, Dst, ScheduleInput } from '../../lib/contract/schedule.js';
import { BUFFER_MAX, RUNNING_MAX } from '../../lib/schedules/overlap.js';
import { fieldTable } from './fields.js';

const SECTIONS: Readonly<Record<string, string>> = { dst: '[an object](#changes-of-the-clocks)', job: '[a job spec](#the-job-spec)', sweep: '[a sweep spec](#the-sweep-spec)' };
const fields = (schema: object, told: Readonly<Record<string, string>> = {}): string => fieldTable(schema, { see: (field) => SECTIONS[field] ?? null, told });
const count = (value: number): string => value.toLocaleString('en-GB');

const EXAMPLE = `name: nightly
cron: "30 2 * * *"
timezone: Europe/Berlin
overlap_policy: buffer_one
catchup_window: 2h
jitter: 5m
job:
  data: { type: builtin, name: digits }
  model: { layers: [{ type: flatten }, { type: dense, units: 10, activation: softmax }] }`;

export function scheduleReference(): string[] {
  return [
    '# The schedule',
    'A schedule is a YAML or JSON object, sent with `pawl schedule put FILE` (`POST /v1/schedules`, `PUT /v1/schedules/{id}`): when it fires, and the job or the sweep that each fire starts. `pawl schedule preview FILE` shows when that is, and stores nothing.',
    ['```yaml', EXAMPLE, '```'].join('\n'),
    fields(ScheduleInput, { job: 'one of the two', sweep: 'one of the two' }),
    'What is to be started is checked when the schedule is sent, and again at each fire.',
    '## Changes of the clocks',
    fields(Dst),
    '## Limits',
    `Of one schedule at most ${count(BUFFER_MAX)} fires wait at a time: with \`buffer_all\` further ones are skipped (\`buffer_full\`), and a backfill that would make them more is refused. \`allow_all\` runs at most ${count(RUNNING_MAX)} side by side; further ones are skipped (\`too_many_running\`). One backfill takes at most ${count(BACKFILL_MAX)} nominal times.`,
  ];
}
