// Whole Pawl jobs against Keras' and PyTorch's training loops: the same network, batch size, Adam and window, by turns. Each
// framework is measured in the form and with the threads that are fastest here; what else it can do is told besides.
import { join } from 'node:path';
import { processCores } from '../../../lib/process-cores.js';
import type { Bench, Benchmark, Claim } from '../benchmark.js';
import { makeJobMeasurement } from '../jobs.js';
import { digitsNetwork, type Network, normalizedNetwork, smallNetwork, specOf } from '../networks.js';
import { type Framework, startFramework, TITLES } from '../python.js';
import { showNumber } from '../report.js';
import type { Comparator, Loop } from '../rounds.js';
import { median } from '../statistics.js';
import { makeFolder, startBenchSystem } from '../system.js';
import { type Side, takeTurns } from '../turns.js';

const TRIALS = 3;

/** A way in which a framework's process may be started: its name and what it reads. The first is as it comes. */
type Threads = readonly [name: string, env: Record<string, string>];
const THREADS: Record<Framework, readonly Threads[]> = {
  keras: [
    ['', {}],
    [', one thread an operation', { TF_NUM_INTRAOP_THREADS: '1', TF_NUM_INTEROP_THREADS: String(processCores()) }],
  ],
  torch: [
    ['', {}],
    [', threads that wait asleep', { OMP_WAIT_POLICY: 'passive' }],
  ],
};

/** One claim against one framework: the fastest of these forms is what Pawl is compared with. */
interface Opponent {
  claim: Claim;
  framework: Framework;
  forms: readonly string[];
  /** Only with the threads that it comes with. */
  asItComes: boolean;
}

/** One turn of jobs and its opponents. */
interface Match {
  network: Network;
  opponents: readonly Opponent[];
}

/** A framework's loop in one form, with one kind of threads. */
interface Candidate {
  form: string;
  asItComes: boolean;
  label: string;
  loop: Loop;
}

const TORCH_FORMS = ['plain', 'fused', 'channels-last', 'channels-last+fused', 'one-thread+fused'];

/** @param kind of the claim's name, after framework and window @param atLeast null for information */
function opponent(network: Network, framework: Framework, kind: string, forms: readonly string[], what: string, atLeast: number | null): Opponent {
  const id = `${framework}-${network.accumIters}${kind}`;
  const claim: Claim = { id, text: `accum_iters ${network.accumIters}, against ${what}`, unit: 'samples/s', goal: atLeast === null ? null : { atLeast } };
  return { framework, forms, claim, asItComes: kind === '-as-it-comes' };
}

/**
 * Against Keras: the goal, of a compiled call a micro-batch, which is how Keras accumulates; and for information a whole window
 * unrolled in one call as Pawl has it, its usual threads, its compiler and its longest calls.
 */
function keras(network: Network, atLeast: number): Opponent[] {
  const accumulates = network.accumIters > 1;
  const forms = accumulates ? ['micro-batch', 'keras-accumulation'] : ['update'];
  return [
    opponent(network, 'keras', '', forms, 'Keras', atLeast),
    ...(accumulates ? [opponent(network, 'keras', '-window', ['update', 'keras-accumulation-update'], 'Keras, a window a call', null)] : []),
    opponent(network, 'keras', '-as-it-comes', forms, 'Keras with its usual threads', null),
    opponent(network, 'keras', '-xla', ['xla'], 'Keras with XLA', null),
    opponent(network, 'keras', '-32-updates', ['updates-32'], 'Keras, 32 updates a call', null),
  ];
}
const torch = (network: Network, atLeast: number): Opponent[] => [
  opponent(network, 'torch', '', TORCH_FORMS, 'PyTorch', atLeast),
  opponent(network, 'torch', '-compiled', ['compiled+channels-last+fused'], 'PyTorch with torch.compile', null),
];

/** The framework's loops that run here. @throws Error if the framework is missing */
async function makeCandidates(bench: Bench, framework: Framework, network: Network, forms: readonly string[], inductorCache: string): Promise<{ candidates: Candidate[]; processes: Comparator[] }> {
  const candidates: Candidate[] = [];
  const processes: Comparator[] = [];
  for (const [name, env] of THREADS[framework]) {
    const comparator = await startFramework(bench.undo, framework, { ...env, TORCHINDUCTOR_CACHE_DIR: inductorCache, TORCHINDUCTOR_COMPILE_THREADS: '1' });
    processes.push(comparator);
    if (processes.length === 1) bench.say(`  ${Object.entries(comparator.versions).map((entry) => entry.join(' ')).join(', ')}`);
    for (const form of forms) {
      const label = `${form}${name}`;
      try {
        candidates.push({ form, asItComes: name === '', label, loop: await comparator.prepare({ network, form }) });
      } catch (error) {
        bench.say(`  ${TITLES[framework]}, ${label}: ${(error as Error).message}`);
      }
    }
  }
  return { candidates, processes };
}

/** The candidates from fastest to slowest, by the medians of a few short trials in turns. */
async function ranked(bench: Bench, framework: Framework, candidates: readonly Candidate[]): Promise<Candidate[]> {
  const trials = await takeTurns({ say: () => undefined }, TRIALS, candidates.map(({ label, loop }) => ({ label, measure: () => loop.round(bench.durations.trial) })));
  const speeds = new Map(candidates.map((candidate, index) => [candidate, median(trials[index]!)]));
  const order = candidates.toSorted((a, b) => speeds.get(b)! - speeds.get(a)!);
  bench.say(`  ${TITLES[framework]}, samples a second in trials: ${order.map((candidate) => `${candidate.label} ${showNumber(speeds.get(candidate)!)}`).join('; ')}`);
  return order;
}

async function play(bench: Bench, { network, opponents }: Match): Promise<void> {
  bench.say(` ${network.name}, accum_iters ${network.accumIters}: preparing`);
  const scratch = await makeFolder(bench.undo);
  const processes: Comparator[] = [];
  const chosen: { opponent: Opponent; candidate: Candidate }[] = [];
  for (const framework of new Set(opponents.map((each) => each.framework))) {
    const ours = opponents.filter((each) => each.framework === framework);
    try {
      const made = await makeCandidates(bench, framework, network, [...new Set(ours.flatMap(({ forms }) => forms))], join(scratch.path, 'inductor'));
      processes.push(...made.processes);
      const order = await ranked(bench, framework, made.candidates);
      for (const each of ours) {
        const candidate = order.find(({ form, asItComes }) => each.forms.includes(form) && (asItComes || !each.asItComes));
        if (candidate) chosen.push({ opponent: each, candidate });
        else bench.failed(each.claim.id, `no form of ${each.forms.join(', ')} runs here`);
      }
    } catch (error) {
      for (const { claim } of ours) bench.failed(claim.id, (error as Error).message);
    }
  }
  if (chosen.length > 0) {
    const system = await startBenchSystem(bench.undo);
    const measure = await makeJobMeasurement(system.client, specOf(network), bench.durations);
    // One that was chosen twice is measured once.
    const others = [...new Map(chosen.map(({ opponent: { framework }, candidate }) => [candidate, `${TITLES[framework]} (${candidate.label})`]))];
    const sides: Side[] = [{ label: 'Pawl', measure }, ...others.map(([{ loop }, label]) => ({ label, measure: () => loop.round(bench.durations.round) }))];
    const [ours, ...theirs] = await takeTurns(bench, bench.pairs, sides);
    for (const { opponent: { claim }, candidate } of chosen) {
      const index = others.findIndex(([other]) => other === candidate);
      bench.compared(claim.id, { ours: ours!, theirs: theirs[index]! }, others[index]![1]);
    }
    await system.close();
  }
  for (const comparator of processes) await comparator.close();
  await scratch.remove();
}

function frameworkBenchmark(name: string, title: string, matches: readonly Match[]): Benchmark {
  return {
    name,
    title,
    claims: matches.flatMap(({ opponents }) => opponents.map(({ claim }) => claim)),
    run: async (bench) => {
      for (const match of matches) await play(bench, match);
    },
  };
}

const [small8, small1, bn, digits] = [smallNetwork(8), smallNetwork(1), normalizedNetwork(), digitsNetwork(5)];

export const frameworkBenchmarks: readonly Benchmark[] = [
  frameworkBenchmark('small', 'three convolutions on 28×28×1, batches of 32, against Keras and PyTorch', [
    { network: small8, opponents: [...keras(small8, 1.3), ...torch(small8, 1.3)] },
    { network: small1, opponents: keras(small1, 1.05) },
  ]),
  frameworkBenchmark('bn', 'five convolutions with batch normalization on 32×32×3 and global pooling, batches of 32, against Keras', [{ network: bn, opponents: keras(bn, 1.05) }]),
  frameworkBenchmark('digits', 'the demo’s recipe, batches of 10, against Keras', [{ network: digits, opponents: keras(digits, 5) }]),
];
