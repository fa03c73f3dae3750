// All benchmarks, in the order in which they run and are listed.
import type { Benchmark } from '../benchmark.js';
import { commits } from './commits.js';
import { engines } from './engines.js';
import { frameworkBenchmarks } from './frameworks.js';
import { jobOverhead } from './job-overhead.js';
import { lanes } from './lanes.js';
import { memory } from './memory.js';
import { preemption } from './preemption.js';
import { processMemory } from './process-memory.js';
import { readers } from './readers.js';
import { recover } from './recover.js';
import { schedules } from './schedules.js';
import { submit } from './submit.js';
import { sweepAsha } from './sweep-asha.js';
import { sweepAsks } from './sweep-asks.js';
import { sweeps } from './sweeps.js';
import { warm } from './warm.js';

export const BENCHMARKS: readonly Benchmark[] = [...frameworkBenchmarks, jobOverhead, commits, memory, lanes, engines, submit, warm, processMemory, readers, recover, preemption, schedules, sweepAsha, sweepAsks, sweeps];
