// `pawl chaos`: a rehearsal of vanishing machines on a live job, with a report.
import { type AddCommands, command, EXIT, usageError, withExamples } from '../context.js';
import { secondsOf } from '../durations.js';
import { type Rehearsal, rehearse, type Strike, STRIKE_KINDS, type StrikeKind } from '../rehearsal.js';
import { clean, duration, table } from '../render.js';

interface ChaosOptions {
  json?: boolean;
  every: string;
  for: string;
  kinds: string;
  seed: string;
}

export const addChaos: AddCommands = (program, context) => {
  const chaos = command(program, 'chaos <id>', 'strike a running job with notices, kills and freezes, and report what each cost')
    .option('--every <duration>', 'about so long between strikes', '30s')
    .option('--for <duration>', 'stop striking after so long', '10m')
    .option('--kinds <list>', `of ${STRIKE_KINDS.join(', ')}, with commas between; a freeze is of a worker on this machine`, STRIKE_KINDS.join(','))
    .option('--seed <n>', 'the same seed strikes in the same order and rhythm', '0')
    .action(async (id: string, options: ChaosOptions) => {
      const left = context.onInterrupt();
      const rehearsal = await rehearse(context.client(), id, {
        kinds: kindsOf(options.kinds),
        everyMs: secondsOf('--every', options.every) * 1_000,
        forMs: secondsOf('--for', options.for) * 1_000,
        seed: seedOf(options.seed),
        signal: left,
        onStrike: (strike) => context.err(strikeLine(strike)),
      });
      context.out(options.json ? JSON.stringify(rehearsal) : report(rehearsal));
      context.exit(UNSUCCESSFUL.includes(rehearsal.status) || rehearsal.strikes.some(({ struck, recovered_ms: recovered }) => struck && recovered === null) ? EXIT.failed : EXIT.ok);
    });
  withExamples(chaos, ['pawl chaos JOB --every 10s --for 5m', 'pawl chaos JOB --kinds kill --json'], 'Exit code 1 if the job failed, was cancelled or expired, or did not go on after a strike. A freeze needs a second worker to take the job over. Five attempts in a row that die without a commit end a job as crash_loop, so after three strikes without one it waits for one: a job that saves more often (checkpoint.every_…) can be struck more often. `pawl retry` goes on from the last checkpoint.');
};

const UNSUCCESSFUL: readonly Rehearsal['status'][] = ['failed', 'cancelled', 'expired'];

const strikeLine = ({ at, kind, attempt, micro_batches: at_, struck, message }: Strike): string => clean(`${at.slice(11, 19)}  ${kind} at micro-batch ${at_} of attempt ${attempt}${struck ? '' : `: did not strike, ${message}`}`);

function report({ job, status, strikes, attempts, executed_micro_batches: executed, wasted_micro_batches: wasted, weights_sha256: weights }: Rehearsal): string {
  const rows = strikes.map((strike) => [
    strike.at.slice(11, 19), strike.kind, strike.micro_batches, strike.attempt,
    !strike.struck ? 'did not strike' : strike.recovered_ms === null ? 'not recovered' : `went on after ${(strike.recovered_ms / 1_000).toFixed(1)}s`,
    strike.next_attempt, strike.resumed_from,
  ]);
  const struck = strikes.filter((strike) => strike.struck);
  const times = struck.flatMap(({ recovered_ms: ms }) => (ms === null ? [] : [ms])).sort((a, b) => a - b);
  const median = times[Math.floor((times.length - 1) / 2)];
  return [
    table(['AT', 'KIND', 'MICRO-BATCH', 'ATTEMPT', 'AND THEN', 'NEXT', 'RESUMED FROM'], rows),
    '',
    `${job} ${status}: ${struck.length} strikes, ${attempts} attempts, ${executed} micro-batches executed in ended attempts, ${wasted} of them wasted`,
    ...(median === undefined ? [] : [`went on after ${duration(median / 1_000)} (median), ${duration((times.at(-1) ?? 0) / 1_000)} (longest)`]),
    weights === null ? `when it is over, pawl verify ${job} compares it with an undisturbed run` : `pawl verify ${job} compares it with an undisturbed run`,
  ].join('\n');
}

function kindsOf(text: string): StrikeKind[] {
  const kinds = text.split(',');
  const wrong = kinds.find((kind) => !(STRIKE_KINDS as readonly string[]).includes(kind));
  if (wrong !== undefined) throw usageError('--kinds', `takes some of ${STRIKE_KINDS.join(', ')}, with commas between, got ${JSON.stringify(wrong)}`);
  return kinds as StrikeKind[];
}

function seedOf(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw usageError('--seed', `takes a whole number, got ${JSON.stringify(text)}`);
  return Number(text);
}
