// What the demo shows: a progress bar that redraws itself on a terminal and now and then prints a line elsewhere, and tables.
import Table from 'cli-table3';
import type { Job } from '../../lib/contract/job.js';

const WIDTH = 28;
const LINE_EVERY_MS = 3_000;
let drawn = false;
let lastLineMs = -Infinity;

export function say(line: string): void {
  if (drawn) process.stdout.write('\r\x1b[2K');
  drawn = false;
  process.stdout.write(`${line}\n`);
}

export function bar(label: string, { progress, status, attempts, is_terminal }: Job): void {
  const filled = Math.round((progress.percent / 100) * WIDTH);
  const accuracy = progress.metrics['accuracy'];
  const parts = [
    `${label.padEnd(11)} [${'█'.repeat(filled)}${'·'.repeat(WIDTH - filled)}] ${progress.percent.toFixed(0).padStart(3)} %`,
    `epoch ${progress.epoch}`,
    progress.loss === null ? '' : `loss ${progress.loss.toFixed(3)}`,
    accuracy === null || accuracy === undefined ? '' : `accuracy ${(accuracy * 100).toFixed(0)} %`,
    progress.samples_per_second === null ? '' : `${Math.round(progress.samples_per_second)} samples/s`,
    `${status}${attempts.length > 1 ? `, attempt ${attempts.length}` : ''}`,
  ].filter((part) => part !== '');
  const line = parts.join('  ');
  if (process.stdout.isTTY) {
    process.stdout.write(`\r\x1b[2K${line.slice(0, (process.stdout.columns ?? 120) - 1)}`);
    drawn = true;
    if (is_terminal) say(line);
  } else if (is_terminal || performance.now() - lastLineMs > LINE_EVERY_MS) {
    lastLineMs = performance.now();
    process.stdout.write(`${line}\n`);
  }
}

export function table(head: string[], rows: string[][]): void {
  const drawnTable = new Table({ head, style: { head: [], border: [] } });
  drawnTable.push(...rows);
  say(drawnTable.toString());
}
