// A sweep's trials as CSV (RFC 4180), one a line, with a column for each parameter; what a trial does not have is empty. Pure.
import type { Trial } from '../contract/sweep-views.js';

export function trialsCsv(parameters: Iterable<string>, trials: readonly Trial[]): string {
  const names = [...parameters];
  const head = ['number', 'id', 'status', 'value', ...names, 'job_id', 'started_at', 'ended_at'];
  const rows = trials.map(({ number, id, status, value, params, job_id, started_at, ended_at }) => [number, id, status, value, ...names.map((name) => params[name]), job_id, started_at, ended_at]);
  return [head, ...rows].map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
