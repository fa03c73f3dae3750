// `pawl doctor`: whether this machine can run Pawl as it is configured: Redis, the store, each engine by a small job that
// really runs on it, and why no GPU is used.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { storeOptions } from '../../../lib/config.js';
import type { JobRecord } from '../../../lib/contract/records.js';
import { messageOf } from '../../../lib/errors.js';
import { resolveSpec } from '../../../lib/jobs/spec/resolve.js';
import { silentLog } from '../../../lib/log.js';
import { connectQueue } from '../../../lib/queue/index.js';
import { openStore } from '../../../lib/store/open.js';
import { probeStore } from '../../../lib/store/probe.js';
import { type AddCommands, type CliContext, EXIT, withExamples } from '../context.js';
import { packageRoot } from '../package-root.js';
import { findRedisServer } from '../redis-server.js';
import { runInScratch } from '../scratch-run.js';

interface Finding {
  about: 'redis' | 'store' | 'tensorflow' | 'wasm' | 'gpu';
  /** `error`: jobs cannot run as configured. */
  level: 'ok' | 'warning' | 'error';
  message: string;
}

export const addDoctor: AddCommands = (program, context) => {
  const doctor = program
    .command('doctor')
    .description('check this machine: Redis, the store, the engines and their speed, the GPU')
    .option('--json', 'print the findings as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const findings: Finding[] = [];
      for (const look of [lookAtRedis, lookAtStore, lookAtEngines, lookAtGpu]) {
        const found = await look(context);
        findings.push(...found);
        if (!json) for (const { about, level, message } of found) context.out(`${level.padEnd(8)} ${about.padEnd(11)} ${message}`);
      }
      const healthy = findings.every(({ level }) => level !== 'error');
      if (json) context.out(JSON.stringify({ object: 'diagnosis', healthy, findings }));
      if (!healthy) context.exit(EXIT.failed);
    });
  withExamples(doctor, ['pawl doctor', 'PAWL_STORE=s3://bucket/prefix pawl doctor --json'], 'Exit code 1 if something is wrong that keeps jobs from running.');
};

async function lookAtRedis({ config, env }: CliContext): Promise<Finding[]> {
  const { redisUrl, queuePrefix } = config();
  const about = 'redis';
  if (redisUrl === null) {
    return findRedisServer(env).then(
      (path) => [{ about, level: 'ok', message: `REDIS_URL is not set; \`pawl up\` starts ${path}` }],
      (error: unknown) => [{ about, level: 'error', message: messageOf(error) }],
    );
  }
  const queue = connectQueue({ url: redisUrl, prefix: queuePrefix, log: silentLog });
  try {
    const { redis, kind, version, roundTripMs, problems } = await queue.check();
    return [{ about, level: 'ok', message: `${kind} ${version} at ${redis}, ${roundTripMs} ms away` }, ...problems.map((problem): Finding => ({ about, ...problem }))];
  } catch (error) {
    return [{ about, level: 'error', message: messageOf(error) }];
  } finally {
    await queue.close();
  }
}

async function lookAtStore({ config }: CliContext): Promise<Finding[]> {
  try {
    const store = await openStore(config().store, storeOptions(config()));
    try {
      const beganMs = performance.now();
      await probeStore(store);
      return [{ about: 'store', level: 'ok', message: `${store.description} keeps its promises (probed in ${((performance.now() - beganMs) / 1_000).toFixed(1)} s)` }];
    } finally {
      await store.close();
    }
  } catch (error) {
    return [{ about: 'store', level: 'error', message: messageOf(error) }];
  }
}

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
  return { id: `job_${'0'.repeat(26)}`, created_at: new Date(0).toISOString(), spec: resolved.spec };
}

async function lookAtEngines({ config, env }: CliContext): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const engine of ['tensorflow', 'wasm'] as const) {
    try {
      const { head, rows } = await runInScratch(trialJob(engine), { env: { ...env, PAWL_ENGINE: engine } });
      // the second half: the first runs while caches and compilers are cold
      const [from, ...timed] = rows.slice(Math.floor(rows.length / 2));
      const samplesPerSecond = timed.reduce((sum, { samples }) => sum + samples, 0) / (timed.at(-1)!.wall_time - from!.wall_time);
      findings.push({ about: engine, level: 'ok', message: `self-test passed, ${Math.round(samplesPerSecond).toLocaleString('en-US')} samples/s on a small network (${head.result!.numerics_class.split('; batch ')[0]})` });
    } catch (error) {
      findings.push({ about: engine, level: config().engine === engine ? 'error' : 'warning', message: messageOf(error) });
    }
  }
  const none = findings.every(({ level }) => level !== 'ok');
  return none ? findings.map((finding) => ({ ...finding, level: 'error' })) : findings;
}

async function lookAtGpu(): Promise<Finding[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(packageRoot(), 'infra/setup/gpu-report.mjs')]);
  const { build, gpus, reasons } = JSON.parse(stdout) as { build: string | null; gpus: string[]; reasons: string[] };
  if (reasons.length === 0) return [{ about: 'gpu', level: 'ok', message: `used: ${gpus.join(', ')}` }];
  // the CUDA build says that a GPU is wanted
  const level = build === 'cuda' ? 'warning' : 'ok';
  return reasons.map((reason, index) => ({ about: 'gpu', level, message: index === 0 ? `not used. ${reason}` : reason }));
}
