// The graph of one job: everything that is ever run of it, in one session, over one set of variables.
//
//   a block of j micro-batches     bodies 1 … j (each: x, y, masks → losses, gradient, statistics), unrolled
//                                  fold: gradients added in order, statistics merged in order;
//                                        onto nothing (`empty`) or onto the window so far (`open`)
//                                  end:  `keep` assigns accumulator and statistics; `update` divides and applies them
//
//   a chain of 2, 4, 8 … whole windows
//                                  the same, each window reading the variables once the one before has written them
//
// Every j from 1 to `blockSize` is another fetch of the same bodies: TensorFlow prunes what a fetch does not need. At most
// `lanes` bodies are computed at a time: the input of body i waits for the gradients of body i − lanes. With several devices
// lane i computes on one of its own; the variables, the fold and the update stay where TensorFlow places them, on the first.
// A result is one row of numbers, and everything that changes a variable is behind a switch: it happens only if all of the
// row is finite.
import { accumulatorName, emaName, expectedState, slotName, slotNames, statisticName } from '../../../../lib/model/slots.js';
import { maskedLayers } from '../../masks.js';
import { columnsOf } from '../batch-row.js';
import type { Program } from '../index.js';
import { DT, nodeBackend } from '../node-backend.js';
import { layersWithStatistics, trainableWeights } from '../update.js';
import { makeGraph, nodeOf, outputOf, type Graph, type Output } from './graph.js';
import { feeds, fetches, type End, type Start } from './names.js';
import { nativeUpdate } from './native-update.js';
import type { Recording } from './recorder.js';
import { numberNames as numberNamesOf, type JobTraces } from './traces.js';
import { makeVariables, type Variables } from './variables.js';

export interface JobGraph {
  graph: Graph;
  variables: Variables;
  /** Full micro-batches in the longest block. */
  blockSize: number;
  /** Micro-batches that are computed side by side. */
  lanes: number;
  /** Whole windows of full micro-batches, each with its update, that one call may run: this many, a power of two, or half, a quarter … down to 2. 1 for no more than a block. */
  chain: number;
}

export interface JobGraphOptions {
  blockSize: number;
  lanes: number;
  chain: number;
  /** Devices that the lanes are spread over, as TensorFlow names them; none: it places them itself, all on one. They have to be alike, so that bits do not depend on the lane. */
  devices: readonly string[];
}

const FLOAT = { T: { type: DT.FLOAT } } as const;

export function buildJobGraph(program: Program, traces: JobTraces, options: JobGraphOptions): JobGraph {
  const { plan, optimizer, batchSize } = program;
  const graph = makeGraph(nodeBackend().binding);
  const shapes = new Map([...expectedState(plan, program, true)].filter(([, { dtype }]) => dtype === 'F32').map(([name, { shape }]) => [name, shape]));
  const variables = makeVariables(graph, shapes);
  const trainable = trainableWeights(plan);
  const layers = layersWithStatistics(plan);
  const masked = maskedLayers(plan);
  const classes = plan.outputShape.reduce((product, size) => product * size, 1);
  const columns = columnsOf(program);
  const zero = graph.constant('zero', { dtype: DT.INT32, shape: [], values: [0] });

  const placeholder = (name: string, shape: readonly number[]): Output => graph.add(name, 'Placeholder', [], { dtype: { type: DT.FLOAT }, shape: { shape } });
  const unpack = (vector: Output, count: number): Output[] => {
    const node = graph.add(`${vector}/parts`, 'Unpack', [vector], { ...FLOAT, num: { int: count }, axis: { int: 0 } });
    return Array.from({ length: count }, (_, index) => outputOf(node, index));
  };

  /**
   * The same value, out of the optimizer's reach: TensorFlow rewrites a chain of additions into one of another order, and
   * what it makes of a block would depend on the block's length. Costs nothing where the buffer has no other reader.
   */
  const barrier = (name: string, value: Output): Output => graph.add(name, 'Snapshot', [value], FLOAT);

  /** What a window reads: the state, by name, and the numbers of its update. */
  interface Stage {
    read(name: string): Output;
    numbers: readonly Output[];
  }
  const weightsOf = ({ read }: Stage): [string, Output][] => plan.weights.map(({ name }) => [name, read(name)]);

  /** Whether a row is finite, and the row with that flag at its end. */
  interface Checked {
    finite: Output;
    flagged: Output;
  }

  /** Gradients and statistics by name, of one micro-batch or folded. */
  type Sums = Map<string, Output>;
  interface Body {
    /** Those of columnsOf. */
    columns: Output[];
    sums: Sums;
    /** Merges onto statistics before. */
    factors: Output[];
  }

  /** Of the micro-batch at this place of a window or block. */
  const deviceOf = (index: number): string | null => options.devices[(index % options.lanes) % options.devices.length] ?? null;

  function body(name: string, samples: number, recording: Recording, after: readonly Output[], stage: Stage, device: string | null): Body {
    const x = placeholder(feeds.x(name), [samples, ...plan.inputShape]);
    const gated = after.length === 0 ? x : graph.add(`${x}/gate`, 'Identity', [x], FLOAT, after);
    const results = graph.inline(`m${name}`, recording, new Map([
      ['x', gated],
      ['y', placeholder(feeds.y(name), [samples, classes])],
      ...masked.map(({ name: layer, shape }, index): [string, Output] => [`mask/${layer}`, placeholder(feeds.mask(name, index), [samples, ...shape])]),
      ...weightsOf(stage),
    ]), device);
    const sums: Sums = new Map(trainable.map((weight, index) => [accumulatorName(weight), barrier(`m${name}/gradient${index}`, results.get(`gradient/${weight}`)!)]));
    layers.forEach(({ name: layer }, index) => {
      sums.set(statisticName(layer, 'mean'), barrier(`m${name}/mean${index}`, results.get(`mean/${layer}`)!));
      sums.set(statisticName(layer, 'm2'), barrier(`m${name}/spread${index}`, results.get(`m2/${layer}`)!));
    });
    const factors = layers.length === 0 ? [] : unpack(placeholder(feeds.merge(name), [2 * layers.length]), 2 * layers.length);
    return { columns: columns.map((column) => results.get(column)!), sums, factors };
  }

  /** A float32 left fold: the window so far, and one more micro-batch. */
  function fold(prefix: string, before: Sums, { sums, factors }: Body): Sums {
    const folded: Sums = new Map(trainable.map((weight, index) => {
      const name = accumulatorName(weight);
      return [name, barrier(`${prefix}/fold${index}`, graph.add(`${prefix}/sum${index}`, 'AddV2', [before.get(name)!, sums.get(name)!], FLOAT))];
    }));
    layers.forEach(({ name, inputShape }, index) => {
      const [mean, m2] = [statisticName(name, 'mean'), statisticName(name, 'm2')];
      const merged = graph.inline(`${prefix}/merge${index}`, traces.merge.get(inputShape.at(-1)!)!, new Map([
        ['window/mean', before.get(mean)!], ['window/m2', before.get(m2)!], ['batch/mean', sums.get(mean)!], ['batch/m2', sums.get(m2)!],
        ['share', factors[2 * index]!], ['weight', factors[2 * index + 1]!],
      ]));
      folded.set(mean, barrier(`${prefix}/merged_mean${index}`, merged.get('mean')!));
      folded.set(m2, barrier(`${prefix}/merged_spread${index}`, merged.get('m2')!));
    });
    return folded;
  }

  const one = graph.constant('one', { dtype: DT.INT32, shape: [1], values: [1] });
  const axis = graph.constant('axis', { dtype: DT.INT32, shape: [], values: [0] });
  const sumOf = (name: string, vector: Output): Output => graph.add(name, 'Sum', [vector, axis], { ...FLOAT, Tidx: { type: DT.INT32 }, keep_dims: { bool: false } });
  const concat = (name: string, vectors: readonly Output[]): Output => graph.add(name, 'ConcatV2', [...vectors, axis], { ...FLOAT, N: { int: vectors.length }, Tidx: { type: DT.INT32 } });

  const windowNames = [...trainable.map(accumulatorName), ...layers.flatMap(({ name }) => [statisticName(name, 'mean'), statisticName(name, 'm2')])];
  const numberNames = numberNamesOf(program);
  const numbersFor = (window: number | null): Output[] => unpack(placeholder(feeds.numbers(window), [numberNames.length + 1 + layers.length]), numberNames.length + 1 + layers.length);
  const divisorOf = ({ numbers }: Stage): Output => numbers[numberNames.length]!;
  /** At the beginning of a call. */
  const first: Stage = { read: (name) => variables.get(name).value, numbers: numbersFor(null) };

  /** Nodes that apply these sums and have to run; all of them dead if a sum is. @param prepared gradients by weight, as dead; null: the sums, divided */
  function update(prefix: string, sums: Sums, prepared: ReadonlyMap<string, Output> | null, stage: Stage): Output[] {
    const { read, numbers } = stage;
    const gradients = trainable.map((weight, index): [string, Output] => [`gradient/${weight}`, prepared?.get(weight) ?? graph.add(`${prefix}/mean${index}`, 'RealDiv', [sums.get(accumulatorName(weight))!, divisorOf(stage)], FLOAT)]);
    const writes: Output[] = [];
    const assign = (next: ReadonlyMap<string, Output>): void => {
      for (const [name, output] of next) writes.push(variables.assign(`${prefix}/assign${writes.length}`, name, output));
    };
    /** Of the state, what a recording asks for. */
    const valuesFor = (recording: Recording): [string, Output][] => recording.nodes.flatMap((node): [string, Output][] => (node.kind === 'input' && shapes.has(node.name) ? [[node.name, read(node.name)]] : []));
    const given = numberNames.map((name, index): [string, Output] => [`number/${name}`, numbers[index]!]);
    if (traces.weightUpdate !== null) {
      const next = graph.inline(`${prefix}/weights`, traces.weightUpdate, new Map([...valuesFor(traces.weightUpdate), ...gradients, ...given]));
      assign(next);
    } else {
      trainable.forEach((weight, index) => writes.push(applyNatively(`${prefix}/apply${index}`, weight, gradients[index]![1], stage)));
    }
    if (traces.averages !== null) {
      const moved = trainable.map((weight, index): [string, Output] => [weight, readAfter(`${prefix}/moved${index}`, weight, writes[index]!)]);
      assign(graph.inline(`${prefix}/averages`, traces.averages, new Map([...valuesFor(traces.averages), ...moved, ...given])));
    }
    if (traces.movingStatistics !== null) {
      const window = layers.flatMap(({ name }, index): [string, Output][] => [[`mean/${name}`, sums.get(statisticName(name, 'mean'))!], [`m2/${name}`, sums.get(statisticName(name, 'm2'))!], [`count/${name}`, numbers[numberNames.length + 1 + index]!]]);
      assign(graph.inline(`${prefix}/moving`, traces.movingStatistics, new Map([...valuesFor(traces.movingStatistics), ...window])));
    }
    return writes;
  }

  const native = nativeUpdate(optimizer);
  /** One operation on a weight and its slots, after the decay of the weight. */
  function applyNatively(name: string, weight: string, gradient: Output, { read, numbers }: Stage): Output {
    const handle = (tensor: string): Output => variables.get(tensor).handle;
    const given = Object.fromEntries(numberNames.map((number, index) => [number, numbers[index]!]));
    const slots = Object.fromEntries(slotNames(optimizer).map((slot) => [slot, handle(slotName(weight, slot))]));
    const decayed: Output[] = [];
    if (given['weightDecay'] !== undefined) {
      // only where the gradient is alive: a product of it that is zero would not do, it may be NaN
      const factor = graph.add(`${name}/factor`, 'Identity', [given['weightDecay']], FLOAT, [gradient]);
      const loss = graph.add(`${name}/decay`, 'Mul', [read(weight), factor], FLOAT);
      decayed.push(graph.add(`${name}/decayed`, 'AssignSubVariableOp', [handle(weight), loss], { dtype: { type: DT.FLOAT } }));
    }
    const applied = native!.apply(graph, name, { weight: handle(weight), slots, gradient, numbers: given }, decayed);
    const constraint = traces.constraints.get(weight);
    if (constraint === undefined) return applied;
    const moved = readAfter(`${name}/moved`, weight, applied);
    return variables.assign(`${name}/constrain`, weight, graph.inline(`${name}/constraint`, constraint, new Map([['weight', moved]])).get('weight')!);
  }

  /** Whether all of a row is finite, and of the window's before it, and the row with that flag at its end. */
  function checked(prefix: string, row: Output, before: Output | null = null): Checked {
    const alone = graph.add(`${prefix}/finite`, 'IsFinite', [sumOf(`${prefix}/sum`, row)], FLOAT);
    const finite = before === null ? alone : graph.add(`${prefix}/all_finite`, 'LogicalAnd', [alone, before]);
    const flag = graph.add(`${prefix}/flag`, 'Reshape', [graph.add(`${prefix}/cast`, 'Cast', [finite], { SrcT: { type: DT.BOOL }, DstT: { type: DT.FLOAT } }), one], { ...FLOAT, Tshape: { type: DT.INT32 } });
    return { finite, flagged: concat(`${prefix}/flagged`, [row, flag]) };
  }

  /** What the optimizer sees of these sums, and its figures. */
  function prepare(prefix: string, recording: Recording, sums: Sums, stage: Stage): ReadonlyMap<string, Output> {
    return graph.inline(`${prefix}/prepare`, recording, new Map([...weightsOf(stage), ...trainable.map((weight): [string, Output] => [`sum/${weight}`, sums.get(accumulatorName(weight))!]), ['divisor', divisorOf(stage)]]));
  }

  /** Of these micro-batches, folded so. */
  function rowOf(prefix: string, bodies: readonly Body[], sums: Sums): Output {
    const norms = trainable.map((weight, index) => graph.add(`${prefix}/norm${index}`, 'L2Loss', [sums.get(accumulatorName(weight))!], FLOAT));
    const spreads = layers.map(({ name }, index) => sumOf(`${prefix}/spread${index}`, sums.get(statisticName(name, 'm2'))!));
    const totals = [...norms, ...spreads];
    return concat(`${prefix}/row`, [...bodies.flatMap((each) => each.columns), graph.add(`${prefix}/totals`, 'Pack', totals, { ...FLOAT, N: { int: totals.length }, axis: { int: 0 } })]);
  }

  /** Keeps or applies the sums, if all is finite; `done` is there when that has happened, or is not to happen. @param before whether all before was finite */
  function finish(name: string, end: End, row: Output, plain: () => Checked, sums: Sums, stage: Stage, before: Output | null = null): Checked & { done: Output } {
    const prepared = end === 'update' && traces.gradients !== null ? prepare(name, traces.gradients, sums, stage) : null;
    const { finite, flagged } = prepared === null ? plain() : checked(name, concat(`${name}/row_and_figures`, [row, prepared.get('figures')!]), before);
    const alive = (kind: string, index: number, output: Output): Output => outputOf(graph.add(`${name}/${kind}${index}`, 'Switch', [output, finite], FLOAT), 1);
    const gated: Sums = new Map(windowNames.map((sum, index) => [sum, alive('if', index, sums.get(sum)!)]));
    // a node of their own, which is dead as a whole: what only waits for a gradient waits for its node
    const gradients = prepared === null ? null : new Map(trainable.map((weight, index) => [weight, graph.add(`${name}/gradient${index}`, 'Identity', [alive('prepared', index, prepared.get(`gradient/${weight}`)!)], FLOAT)]));
    const writes = end === 'update' ? update(name, gated, gradients, stage) : windowNames.map((sum, index) => variables.assign(`${name}/assign${index}`, sum, gated.get(sum)!));
    const pivot = graph.add(`${name}/if`, 'Switch', [zero, finite], { T: { type: DT.INT32 } });
    const written = graph.add(`${name}/written`, 'Identity', [outputOf(pivot, 1)], { T: { type: DT.INT32 } }, writes);
    return { finite, flagged, done: graph.add(`${name}/done`, 'Merge', [pivot, written], { T: { type: DT.INT32 }, N: { int: 2 } }) };
  }

  /** Both ends of a block whose micro-batches are `bodies` and whose folded sums are `sums`. */
  function ends(prefix: string, fetchOf: (end: End) => string, bodies: readonly Body[], sums: Sums): void {
    const row = rowOf(prefix, bodies, sums);
    const plain = checked(prefix, row);
    for (const end of ['keep', 'update'] as const) {
      const { flagged, done } = finish(`${prefix}/${end}`, end, row, () => plain, sums, first);
      graph.add(fetchOf(end), 'Identity', [flagged], FLOAT, [done]);
    }
  }

  /** Whole windows one after another: each reads what the one before has written. */
  function addChain(windows: number): void {
    const rows: Output[] = [];
    let before: { finite: Output; done: Output } | null = null;
    for (let window = 0; window < windows; window++) {
      const name = `w${window}`;
      const stage: Stage = { read: before === null ? first.read : stateAfter(name, before.done), numbers: numbersFor(window) };
      const bodies: Body[] = [];
      let sums: Sums = new Map();
      for (let index = 0; index < program.accumIters; index++) {
        const gate = bodies[index - options.lanes];
        const next = body(`${window}_${index}`, batchSize, traces.microBatch.get(batchSize)!, gate === undefined ? [] : [...gate.sums.values()], stage, deviceOf(index));
        bodies.push(next);
        sums = index === 0 ? next.sums : fold(`${name}/fold${index}`, sums, next);
      }
      const row = rowOf(name, bodies, sums);
      const finiteSoFar: Output | null = before?.finite ?? null;
      const { finite, flagged, done } = finish(name, 'update', row, () => checked(name, row, finiteSoFar), sums, stage, finiteSoFar);
      rows.push(flagged);
      before = { finite, done };
      if (rows.length > 1 && Number.isInteger(Math.log2(rows.length))) graph.add(fetches.chain(rows.length), 'Identity', [concat(`${name}/rows`, rows)], FLOAT, [done]);
    }
  }
  /** A tensor of the state once `done` is there. */
  function readAfter(node: string, name: string, done: Output): Output {
    return graph.add(node, 'ReadVariableOp', [variables.get(name).handle], { dtype: { type: DT.FLOAT } }, [done]);
  }
  /** The state once `done` is there; each tensor is read once. */
  function stateAfter(prefix: string, done: Output): Stage['read'] {
    const reads = new Map<string, Output>();
    return (name) => {
      const read = reads.get(name) ?? readAfter(`${prefix}/read/${nodeOf(variables.get(name).handle)}`, name, done);
      reads.set(name, read);
      return read;
    };
  }

  const windowSoFar: Sums = new Map(windowNames.map((name) => [name, variables.get(name).value]));
  const bodies: Body[] = [];
  const sums: Record<Start, Sums> = { empty: new Map(), open: windowSoFar };
  for (let index = 0; index < options.blockSize; index++) {
    const before = bodies[index - options.lanes];
    const next = body(String(index), batchSize, traces.microBatch.get(batchSize)!, before === undefined ? [] : [...before.sums.values()], first, deviceOf(index));
    bodies.push(next);
    for (const start of ['empty', 'open'] as const) {
      const prefix = `${start}${index + 1}`;
      // the first of an empty window is taken as it is: a window of one is no accumulation at all
      sums[start] = start === 'empty' && index === 0 ? next.sums : fold(prefix, sums[start], next);
      ends(prefix, (end) => fetches.block(start, index + 1, end), bodies, sums[start]);
    }
  }
  for (const [samples, recording] of traces.microBatch) {
    if (samples === batchSize) continue;
    const ragged = body(`r${samples}`, samples, recording, [], first, null);
    ends(`emptyr${samples}`, (end) => fetches.ragged('empty', samples, end), [ragged], ragged.sums);
    ends(`openr${samples}`, (end) => fetches.ragged('open', samples, end), [ragged], fold(`openr${samples}`, windowSoFar, ragged));
  }
  const averages = plan.weights.map(({ name }): [string, Output] => [name, first.read(shapes.has(emaName(name)) ? emaName(name) : name)]);
  for (const [samples, recording] of traces.inference) {
    const name = `e${samples}`;
    const results = graph.inline(name, recording, new Map([['x', placeholder(feeds.x(name), [samples, ...plan.inputShape])], ['y', placeholder(feeds.y(name), [samples, classes])], ...averages]));
    graph.add(fetches.evaluate(samples), 'Identity', [concat(`${name}/row`, columns.map((column) => results.get(column)!))], FLOAT);
  }
  if (options.chain > 1) addChain(options.chain);
  addRestore();
  return { graph, variables, ...options };

  /** One fetch a role: every variable of it takes a copy of what is fed. Without the copy it would adopt the fed buffer. */
  function addRestore(): void {
    const roles = new Map<string, Output[]>();
    for (const [name, { role, dtype, shape }] of expectedState(plan, program, true)) {
      if (dtype !== 'F32') continue;
      const node = nodeOf(variables.get(name).handle);
      const copy = graph.add(`${node}/copy`, 'DeepCopy', [placeholder(feeds.restore(node), shape)], FLOAT);
      roles.set(role, [...(roles.get(role) ?? []), variables.assign(`${node}/restore`, name, copy)]);
    }
    for (const [role, writes] of roles) graph.add(fetches.restore(role), 'Identity', [zero], { T: { type: DT.INT32 } }, writes);
  }
}
