// Trainer processes: forking them with the environment that their bits depend on, talking to one, keeping the last one
// (on each GPU) warm for a job of the same program, and ending them.
import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Log } from '../../lib/log.js';
import type { FromTrainer, ToTrainer } from '../protocol.js';
import { trainerEnvironment, type TrainerSetup } from '../trainer-environment.js';

export interface TrainerExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface Trainer {
  readonly pid: number;
  send(message: ToTrainer): void;
  /** The one listener of the attempt that has it. Messages of other attempts do not get through. */
  listen(attempt: string, onMessage: (message: FromTrainer) => void, onExit: (exit: TrainerExit) => void): void;
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

const PASSED_ON = /^(PATH|HOME|LANG|LC_.*|TZ|TMPDIR|LD_LIBRARY_PATH|NODE_OPTIONS|CUDA_.*|ONEDNN_.*|PAWL_WASM_.*)$/;

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

  /** What a trainer writes to its standard error: TensorFlow's own remarks are of interest to nobody but its developers. */
  function hearComplaint(line: string, pid: number | undefined): void {
    if (line.trim() === '') return;
    const remark = /^I\d{4} |^WARNING: All log messages before absl::InitializeLog|: I tensorflow\/|DEP0051/.test(line);
    log[remark ? 'debug' : 'warn']({ trainer: pid }, line);
  }

  function start(programKey: string, setup: TrainerSetup): Process {
    const child = fork(entry, [], { env: { ...inherited, ...trainerEnvironment(setup) }, serialization: 'advanced', stdio: ['ignore', 'inherit', 'pipe', 'ipc'] });
    if (child.stderr) createInterface({ input: child.stderr }).on('line', (line) => hearComplaint(line, child.pid));
    let listener: { attempt: string; onMessage: (message: FromTrainer) => void; onExit: (exit: TrainerExit) => void } | null = null;
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
      listen: (attempt, onMessage, onExit) => {
        listener = { attempt, onMessage, onExit };
      },
      kill: () => {
        child.kill('SIGKILL');
      },
    };
    child.on('message', (message) => {
      const said = message as FromTrainer;
      if (said.type === 'ready') trainer.engine = said.facts.engine;
      if (listener?.attempt === said.attempt) listener.onMessage(said);
      else log.debug({ type: said.type, attempt: said.attempt }, 'a message of another attempt was dropped');
    });
    void exited.then((exit) => {
      all.delete(trainer);
      if (warm.get(setup.gpu) === trainer) warm.delete(setup.gpu);
      listener?.onExit(exit);
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
      kept.listen('', () => undefined, () => undefined);
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
