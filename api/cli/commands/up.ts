// `pawl up`: the whole system on one machine, until Ctrl-C drains it (or SIGTERM, or a closed
// terminal); a second Ctrl-C stops it at once.
import { join, resolve } from 'node:path';
import { readConfig } from '../../../lib/config.js';
import { type AddCommands, EXIT, usageError, wholeOf, withExamples } from '../context.js';
import { packageRoot } from '../package-root.js';
import { logFile, startSystem, type System } from '../system.js';

/** A signal that comes sooner after the first one is the same one. */
const AGAIN_MS = 500;
/** Of one machine. */
const WORKERS_MAX = 64;

export const addUp: AddCommands = (program, { env: inherited, out, exit }) => {
  const up = program
    .command('up')
    .description('run the whole system on this machine: Redis (unless REDIS_URL is set), API, controller and workers')
    .option('--port <port>', 'port of the API; 0 takes a free one (default: PAWL_PORT or 8787)')
    .option('--data <folder>', 'where the store, Redis and spools live (default: PAWL_DATA_DIR or .pawl)')
    .option('--workers <n>', 'how many, each with a job at a time', '1')
    .option('--json', 'print where it is as one line of JSON')
    .action(async (options: { port?: string; data?: string; workers: string; json?: boolean }) => {
      const workers = wholeOf('--workers', options.workers);
      if (workers < 1 || workers > WORKERS_MAX) throw usageError('--workers', `takes a number from 1 to ${WORKERS_MAX}, got ${options.workers}`);
      const env = {
        ...inherited,
        ...(options.port === undefined ? {} : { PAWL_PORT: options.port }),
        ...(options.data === undefined ? {} : { PAWL_DATA_DIR: resolve(options.data) }),
      };
      const config = readConfig(env, process.cwd());
      const say = (line: string): void => void process.stderr.write(`${line}\n`);
      let system: System | null = null;
      const starting = new AbortController();
      const over = new Promise<void>((done) => {
        /** When it was asked to drain. */
        let askedMs: number | null = null;
        const stop = (signal: NodeJS.Signals): void => {
          if (system === null) starting.abort();
          else if (askedMs === null) {
            askedMs = performance.now();
            say('draining: running jobs commit (again to stop at once)');
            void system.drain().then(done, (error: unknown) => {
              say(String(error));
              done();
            });
          } else if (signal !== 'SIGHUP' && performance.now() - askedMs > AGAIN_MS) void system.kill().then(done, done);
        };
        // From the beginning: half a system must not outlive its start. SIGHUP is a terminal that was closed, and comes twice, from its
        // shell and from the system; what npm passes on of a Ctrl-C may come twice, too.
        for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
      });
      try {
        system = await startSystem({ config, env, redisConfig: join(packageRoot(), 'infra/redis.conf'), say, logs: 'file', workers, signal: starting.signal });
      } catch (error) {
        if (!starting.signal.aborted) throw error;
        say('stopped before it was up');
        return exit(EXIT.failed);
      }
      const log = logFile(config);
      out(options.json ? JSON.stringify({ object: 'system', url: system.url, store: config.store, log }) : `Pawl is up at ${system.url}\n  store ${config.store}\n  logs  ${log}\nCtrl-C drains and stops.`);
      await over;
    });
  withExamples(up, ['pawl up', 'pawl up --workers 2', 'pawl up --data /var/lib/pawl --port 9000'], 'Ctrl-C lets running jobs commit and then stops; a second one stops at once.');
};
