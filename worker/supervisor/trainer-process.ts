// Trainer processes: forking them with the environment that their bits depend on, talking to one, keeping the last one
// (on each GPU) warm for a job of the same program, and ending them.
import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Log } from '../../lib/log.js';
import type { FromTrainer, ToTrainer } from '../protocol.js';
import { trainerEnvironment, type TrainerSetup } from '../trainer-environment.js';
import { killFirst } from './memory-kills.js';

export interface TrainerExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface TrainerListener {
  attempt: string;
  message(message: FromTrainer): void;
  exit(exit: TrainerExit): void;
  /** A line of its standard error; a remark is of interest to TensorFlow's developers only. */
  said(line: string, remark: boolean): void;
}

export interface Trainer {
  readonly pid: number;
  send(message: ToTrainer): void;
  /** The one listener, of the attempt that has it; null: of none. Messages of other attempts do not get through. */
  listen(listener: TrainerListener | null): void;
  kill(): void;
}

export interface TrainerPool {
  /** A process for this program that is set up so: the warm one if it ran the same, else a new one. */
  acquire(programKey: string, setup: TrainerSetup): Trainer;
  /** Gives it back after its attempt. `clean`: it said that nothing is left, so it may be kept warm. */
  release(trainer: Trainer, clean: boolean): Promise<void>;
  close(): Promise<void>;
}

export interface TrainerPoolOptions {
  /** The trainer's compiled entry. */
  entry: string;
  log: Log;
  /** The supervisor's environment, of which only what a trainer needs is passed on: never a secret. */
  env: Readonly<Record<string, string | undefined>>;
}

const PASSED_ON = /^(PATH|HOME|LANG|LC_.*|TZ|TMPDIR|LD_LIBRARY_PATH|NODE_OPTIONS|CUDA_.*|ONEDNN_.*|PAWL_WASM_.*|PAWL_UNSAVED_SECONDS)$/;

/** TensorFlow's own remarks, which are of interest to nobody but its developers. */
const REMARK = /^I\d{4} |^WARNING: All log messages before absl::InitializeLog|: I tensorflow\/|DEP0051/;

interface Process extends Trainer {
  programKey: string;
  setup: TrainerSetup;
  /** The engine that it turned out to have; null before it says so. */
  engine: string | null;
  child: ChildProcess;
  exited: Promise<TrainerExit>;
}

export function makeTrainerPool({ entry, log, env }: TrainerPoolOptions): TrainerPool {
  const all = new Set<Process>();
  /** By GPU. */
  const warm = new Map<string | null, Process>();
  const inherited = Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && PASSED_ON.test(entry[0])));

  function start(programKey: string, setup: TrainerSetup): Process {
    const child = fork(entry, [], { env: { ...inherited, ...trainerEnvironment(setup) }, serialization: 'advanced', stdio: ['ignore', 'inherit', 'pipe', 'ipc'] });
    if (child.pid !== undefined) killFirst(child.pid);
    let listener: TrainerListener | null = null;
    if (child.stderr)
      createInterface({ input: child.stderr }).on('line', (line) => {
        if (line.trim() === '') return;
        const remark = REMARK.test(line);
        if (listener) listener.said(line, remark);
        else log[remark ? 'debug' : 'warn']({ trainer: child.pid }, line);
      });
    const exited = new Promise<TrainerExit>((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
      child.once('error', (error) => {
        log.error({ err: error }, 'the trainer could not be started');
        resolve({ code: null, signal: null });
      });
    });
    const trainer: Process = {
      programKey,
      setup,
      engine: null,
      child,
      exited,
      pid: child.pid ?? -1,
      send: (message) => {
        if (child.connected) child.send(message, (error) => error && log.debug({ err: error }, 'the trainer did not take a message'));
      },
      listen: (next) => {
        listener = next;
      },
      kill: () => {
        child.kill('SIGKILL');
      },
    };
    child.on('message', (message) => {
      const said = message as FromTrainer;
      if (said.type === 'ready') trainer.engine = said.facts.engine;
      if (listener?.attempt === said.attempt) listener.message(said);
      else log.debug({ type: said.type, attempt: said.attempt }, 'a message of another attempt was dropped');
    });
    void exited.then((exit) => {
      all.delete(trainer);
      if (warm.get(setup.gpu) === trainer) warm.delete(setup.gpu);
      listener?.exit(exit);
    });
    all.add(trainer);
    return trainer;
  }

  async function end(trainer: Process): Promise<void> {
    trainer.kill();
    await trainer.exited;
  }

  return {
    acquire: (programKey, setup) => {
      const kept = warm.get(setup.gpu);
      warm.delete(setup.gpu);
      if (kept && kept.programKey === programKey && isSetUpSo(kept, setup)) return kept;
      if (kept) void end(kept);
      return start(programKey, setup);
    },
    release: async (trainer, clean) => {
      const kept = trainer as Process;
      kept.listen(null);
      if (clean && !warm.has(kept.setup.gpu) && all.has(kept)) warm.set(kept.setup.gpu, kept);
      else await end(kept);
    },
    close: async () => {
      await Promise.all([...all].map(end));
    },
  };
}

/** A job's first attempt asks for `auto`, the next ones for the engine that it got: the same process serves both. */
function isSetUpSo({ setup: { engine: asked, ...has }, engine }: Process, { engine: wanted, ...wants }: TrainerSetup): boolean {
  const suits = wanted === asked || wanted === engine || (wanted === 'auto' && engine === 'tensorflow');
  return suits && JSON.stringify(has) === JSON.stringify(wants);
}
