// Text for people: the progress bar, tables, and numbers short enough to read. Pure but for cli-table3.
import Table from 'cli-table3';
import type { Job, JobListItem, Progress } from '../../lib/contract/job.js';
import type { JobEvent, LogLine } from '../../lib/contract/rows.js';

const NONE = '–';
/** Below it a bar says nothing. */
const BAR_MIN = 10;
const BAR_MAX = 40;

/** One line, at most `columns` wide: what moves is first, what can be spared is last. */
export function progressLine(job: JobListItem & { attempts?: readonly unknown[] }, columns: number): string {
  const { progress } = job;
  const head = `${job.status} `;
  const tail = ` ${percent(progress)} · ${facts(progress, job.attempts?.length ?? 0).join(' · ')}`;
  const room = Math.min(BAR_MAX, columns - head.length - tail.length - 2);
  const bar = room < BAR_MIN ? '' : `[${barOf(progress.percent, room)}]`;
  return [...`${head}${bar}${tail}`].slice(0, Math.max(1, columns)).join('');
}

/** The same without a bar, for logs. */
export function plainProgress(job: Job): string {
  return `${job.status} ${percent(job.progress)} · ${facts(job.progress, job.attempts.length).join(' · ')}`;
}

function facts(progress: Progress, attempts: number): string[] {
  const { updates, total_updates: total, epoch, loss, metrics, samples_per_second: rate, eta_seconds: eta } = progress;
  return [
    `update ${updates}${total === null ? '' : `/${total}`}`,
    `epoch ${epoch}`,
    ...(loss === null ? [] : [`loss ${figure(loss)}`]),
    ...Object.entries(metrics).flatMap(([name, value]) => (value === null ? [] : [`${name} ${figure(value)}`])),
    ...(rate === null ? [] : [`${figure(rate)} samples/s`]),
    ...(eta === null ? [] : [`ETA ${duration(eta)}`]),
    ...(attempts > 1 ? [`attempt ${attempts}`] : []),
  ];
}

/** @param done in percent */
export function barOf(done: number, width: number): string {
  const filled = Math.min(width, Math.floor((done / 100) * width));
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}

const percent = ({ percent: done }: Progress): string => `${done >= 100 ? '100' : done.toFixed(1)}%`;

/** Four figures or so: 0.0312, 0.913, 1200. */
export function figure(value: number | null): string {
  if (value === null) return NONE;
  const size = Math.abs(value);
  if (size >= 100 || Number.isInteger(value)) return String(Math.round(value));
  return size !== 0 && size < 1e-3 ? value.toExponential(2) : value.toPrecision(3);
}

export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, '0')}s`;
  return `${Math.floor(whole / 3_600)}h${String(Math.floor((whole % 3_600) / 60)).padStart(2, '0')}m`;
}

export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, count)) / 10));
  return `${power === 0 ? count : (count / 1024 ** power).toFixed(1)} ${units[power]}`;
}

export function table(head: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string {
  const made = new Table({ head: [...head], style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 }, chars: BORDERLESS });
  for (const row of rows) made.push(row.map((cell) => (cell === null ? NONE : clean(String(cell)))));
  return made.toString().split('\n').map((line) => line.trimEnd()).join('\n');
}
const BORDERLESS = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '', left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' };

export function eventLine(event: JobEvent): string {
  return clean(`${event.at.slice(11, 19)}  ${event.type.padEnd(20)} ${event.message}`);
}

export function logLine({ at, level, source, attempt, message }: LogLine): string {
  return clean(`${at.slice(11, 23)}  ${level.padEnd(5)} ${source.padEnd(10)} #${attempt}  ${message}`);
}

/** Names, tags and messages come from others: nothing in them may steer the terminal. */
export function clean(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}

/** Of the training, then of the validation. */
export const resultFigures = ({ metrics, validation }: NonNullable<Job['result']>): string[] => Object.entries({ ...metrics, ...validation }).map(([name, value]) => `${name} ${figure(value)}`);

export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

export function jobDetails(job: Job): string {
  const { progress, checkpoint, result, error, waste, work } = job;
  const lines: [string, string | null][] = [
    ['id', job.id],
    ['name', job.name],
    ['status', [...new Set([job.status, job.status_reason, job.status_message])].filter((part) => part !== null).join(' · ')],
    ['created', job.created_at],
    ['started', job.started_at],
    ['finished', job.finished_at],
    ['progress', `${percent(progress)} · ${facts(progress, 0).join(' · ')}`],
    ['checkpoint', checkpoint && `${checkpoint.id} at micro-batch ${checkpoint.micro_batches} (update ${checkpoint.updates}), ${bytes(checkpoint.bytes)}`],
    ['work', `${work.executed.micro_batches} micro-batches computed, ${work.kept.micro_batches} kept`],
    ['waste', `${waste.micro_batches} micro-batches, ${duration(waste.seconds)}`],
    ['saving', work.save_seconds === null || work.best_checkpoint_seconds === null ? null : `${work.save_seconds.toFixed(2)} s a checkpoint; best every ${duration(work.best_checkpoint_seconds)}, by ${work.losses} lost attempt${work.losses === 1 ? '' : 's'}`],
    ['attempts', job.attempts.length === 0 ? null : String(job.attempts.length)],
    ['result', result && resultFigures(result).join(' · ')],
    ['weights', result && `sha256 ${result.weights_sha256}`],
    ['error', error && `${error.code}: ${error.message}`],
    ['tags', Object.entries(job.tags).map(([key, value]) => `${key}=${value}`).join(' ') || null],
  ];
  return lines.flatMap(([name, text]) => (text === null ? [] : [`${name.padEnd(11)}${clean(text)}`])).join('\n');
}
