// `npm run chaos` with fixed seeds, for a short time: PAWL_CHAOS_MINUTES and PAWL_CHAOS_SEEDS (with commas between) make it longer.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { s3ServerAvailable } from '../support/s3-server.js';
import { neverStruck } from './run/invariants/enough.js';
import type { Report } from './run/report.js';

const root = join(import.meta.dirname, '../..');
const MAIN = join(root, 'dist/test/chaos/run/main.js');
const MINUTES = Number(process.env['PAWL_CHAOS_MINUTES'] ?? '0.6');
const SEEDS = (process.env['PAWL_CHAOS_SEEDS'] ?? '1').split(',').map(Number);
/** What comes before and after the strikes. */
const AROUND_MS = 600_000;

const withS3 = await s3ServerAvailable();

beforeAll(() => {
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'test/chaos/run'], { cwd: root, stdio: 'inherit' });
});

const folders = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('pawl-chaos-'));

/** Of one seed on each kind of store, of more on one after the other. */
const RUNS = withS3 ? (SEEDS.length === 1 ? SEEDS.flatMap((seed) => [[seed, 'file'], [seed, 's3']] as const) : SEEDS.map((seed, index) => [seed, index % 2 === 0 ? 's3' : 'file'] as const)) : SEEDS.map((seed) => [seed, 'file'] as const);

const reports: Report[] = [];

describe('a system', () => {
  test.each(RUNS)('keeps every promise under the strikes of seed %d, on a store of kind %s', { timeout: MINUTES * 60_000 + AROUND_MS }, async (seed, store) => {
    const before = folders();
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [MAIN, '--seed', String(seed), '--minutes', String(MINUTES), '--store', store, '--json'], { maxBuffer: 1 << 26 }).catch((error: unknown) => {
      const { stdout: out, stderr: err } = error as { stdout: string; stderr: string };
      throw new Error(`${err}\n${out}`);
    });
    const report = JSON.parse(stdout) as Report;
    reports.push(report);
    expect(report.violation, stderr).toBeNull();
    expect(report.struck).toBeGreaterThan(MINUTES * 10);
    expect(report.jobs.ended).toBe(report.jobs.submitted);
    expect(report.jobs.ended).toBeGreaterThanOrEqual(4);
    expect(report.jobs.attempts).toBeGreaterThan(report.jobs.submitted);
    expect(report.looks).toBeGreaterThan(100);
    expect(report.started_by_itself?.fires).toBeGreaterThan(0);
    expect(report.started_by_itself?.scheduled_jobs).toBeGreaterThan(0);
    expect(report.started_by_itself?.sweeps).toBeGreaterThan(0);
    expect(folders().filter((name) => !before.includes(name))).toEqual([]);
  });
  test('was struck by every kind that was tried often enough in these runs together', () => {
    expect(reports.length).toBe(RUNS.length);
    expect(reports.reduce((sum, { waste }) => sum + waste.judged, 0), 'attempts judged for waste').toBeGreaterThan(0);
    expect(neverStruck(reports.flatMap(({ strikes }) => strikes))).toEqual([]);
  });
});

test('an interrupted run ends what it started and leaves no folder', async () => {
  const before = folders();
  const run = spawn(process.execPath, [MAIN, '--seed', '5', '--minutes', '5', '--recipes', '1'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = once(run, 'exit');
  let said = '';
  await new Promise<void>((resolve, reject) => {
    run.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (/^#\d/m.test(said)) resolve();
    });
    run.once('exit', () => reject(new Error(said)));
  });
  run.kill('SIGINT');
  const [code] = (await exited) as [number];
  expect(code, said).toBe(130);
  expect(folders().filter((name) => !before.includes(name))).toEqual([]);
});
