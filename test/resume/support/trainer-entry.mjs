// A trainer process for tests: the production pieces, composed as worker/trainer/main.ts does, plus a witness of what was
// executed and one fault at an exact place. The fault comes from PAWL_TEST_FAULT:
//   {"kind": "notice" | "kill", "at": micro-batch}              right after the job's micro-batch number `at` (from 1)
//   {"kind": "notice" | "kill", "atValidationBatch": batch}     right after that many validation batches in this process
// With {"snapshotEvery": n} training waits at every n-th micro-batch until the snapshot that is due there was settled: where
// a kill is resumed is then no matter of timing.
import { loadEngine } from '../../../dist/worker/trainer/engines/load.js';
import { serve } from '../../../dist/worker/trainer/serve.js';

const fault = JSON.parse(process.env.PAWL_TEST_FAULT ?? 'null');
let attempt = null;
let deliver = () => undefined;
/** Micro-batches of the newest settled snapshot, or of the state the attempt started from. */
let settled = 0;
let told = 0;
let wake = () => undefined;

process.on('disconnect', () => process.exit(0));

function strike() {
  process.send({ type: 'test_struck' });
  if (fault.kind === 'kill') process.kill(process.pid, 'SIGKILL');
  deliver({ type: 'stop', attempt, deadlineMs: null, discard: false });
}

/** The engine, with a witness at every validation batch. */
async function watchedEngine() {
  const engine = await loadEngine(process.env, console.error);
  let evaluated = 0;
  return {
    ...engine,
    compile(program) {
      const compiled = engine.compile(program);
      const evaluate = (batch) => {
        const row = compiled.evaluate(batch);
        evaluated += 1;
        if (fault?.atValidationBatch === evaluated) strike();
        return row;
      };
      return Object.create(compiled, { evaluate: { value: evaluate } });
    },
  };
}

serve(
  {
    send(message) {
      if (message.type === 'snapshot') told = message.snapshot.counters.cursor.micro_batches;
      process.send(message);
    },
    onMessage(listener) {
      deliver = listener;
      process.on('message', (message) => {
        if (message.type === 'start') {
          attempt = message.attempt;
          settled = message.resume?.counters.cursor.micro_batches ?? 0;
        }
        listener(message);
        if (message.type === 'snapshot_settled') {
          settled = told;
          wake();
        }
      });
    },
  },
  {
    engine: watchedEngine(),
    hooks: {
      // a block ends where the fault strikes
      room: (number) => (fault?.at > number ? fault.at - number : Infinity),
      afterMicroBatch(number, epoch, sampleIds) {
        process.send({ type: 'test_executed', number, epoch, sampleIds: [...sampleIds] });
        if (fault?.at === number) strike();
      },
      async atBoundary(number) {
        if (fault?.snapshotEvery === undefined || number % fault.snapshotEvery !== 0) return;
        while (settled < number) await new Promise((resolve) => (wake = resolve));
      },
    },
  },
);
