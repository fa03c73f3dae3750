// The engines: each by a small job that really runs on it, with its speed; and why no GPU is used.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { JobRecord } from '../../../lib/contract/records.js';
import type { UpdateRow } from '../../../lib/contract/rows.js';
import { messageOf } from '../../../lib/errors.js';
import { resolveSpec } from '../../../lib/jobs/spec/resolve.js';
import { packageRoot } from '../package-root.js';
import { runInScratch } from '../scratch-run.js';
import { type Finding, type Look, ok, problem } from './finding.js';

const FIXES = {
  tensorflow: '`npm run setup` sets TensorFlow up, or says why this machine cannot have it; jobs run on the engine wasm meanwhile',
  wasm: '`npm run setup` installs the packages again',
} as const;

/** What an engine is tried with: micro-batches of 32 small images, two convolutions; some seconds. */
function trialJob(engine: 'tensorflow' | 'wasm'): JobRecord {
  const resolved = resolveSpec({
    name: 'doctor',
    data: { type: 'builtin', name: 'synthetic', samples: 1_024, shape: [16, 16, 1], classes: 10 },
    model: { layers: [{ type: 'conv2d', filters: 16, kernel_size: 3, activation: 'relu' }, { type: 'max_pooling2d' }, { type: 'conv2d', filters: 32, kernel_size: 3, activation: 'relu' }, { type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }] },
    training: { batch_size: 32, accum_iters: 4, max_updates: 100, optimizer: { type: 'adam', lr: 0.001 } },
    checkpoint: { every_seconds: 3_600 },
    resources: { engine },
  });
  if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
  return { id: `job_${'0'.repeat(26)}`, created_at: new Date(0).toISOString(), spec: resolved.spec, pause_at_update: null, sweep: null, schedule: null };
}

export const lookAtEngines: Look = async ({ config, env }) => {
  const findings: Finding[] = [];
  for (const engine of ['tensorflow', 'wasm'] as const) {
    try {
      const { result, rows } = await runInScratch(trialJob(engine), { env: { ...env, PAWL_ENGINE: engine } }, async (run) => {
        const rows: UpdateRow[] = [];
        for await (const row of run.rows) rows.push(row);
        return { result: run.head.result!, rows };
      });
      // the second half: the first runs while caches and compilers are cold
      const [from, ...timed] = rows.slice(Math.floor(rows.length / 2));
      const samplesPerSecond = timed.reduce((sum, { samples }) => sum + samples, 0) / (timed.at(-1)!.wall_time - from!.wall_time);
      findings.push(ok(engine, `self-test passed, ${Math.round(samplesPerSecond).toLocaleString('en-US')} samples/s on a small network (${result.numerics_class.split('; batch ')[0]})`));
    } catch (error) {
      const isAsked = config.engine === engine;
      findings.push(problem(engine, messageOf(error).replace(/^the run ended as \w+: /, ''), isAsked ? `${FIXES[engine].split('; ')[0]}; or unset PAWL_ENGINE` : FIXES[engine], isAsked ? 'error' : 'warning'));
    }
  }
  const none = findings.every(({ level }) => level !== 'ok');
  return none ? findings.map((finding) => ({ ...finding, level: 'error' })) : findings;
};

export const lookAtGpu: Look = async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [join(packageRoot(), 'infra/setup/gpu-report.mjs')]);
  const { build, gpus, reasons } = JSON.parse(stdout) as { build: string | null; gpus: string[]; reasons: string[] };
  if (reasons.length === 0) return [ok('gpu', `used: ${gpus.join(', ')}`)];
  const words = reasons.map((reason, index) => (index === 0 ? `not used. ${reason}` : reason));
  // the CUDA build says that a GPU is wanted
  return words.map((message) => (build === 'cuda' ? problem('gpu', message, '`npm run setup -- --gpu` looks again once that is mended; `npm run setup -- --cpu` does without', 'warning') : ok('gpu', message)));
};
