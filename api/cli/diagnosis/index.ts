// Everything that `doctor` looks at, in order.
import type { Environment } from '../processes.js';
import { lookAtApi } from './address.js';
import { lookAtEngines, lookAtGpu } from './engines.js';
import type { Finding, Look } from './finding.js';
import { lookAtData, lookAtFolder, lookAtNode, readSettings } from './machine.js';
import { lookAtRedis } from './redis.js';
import { lookAtClock, lookAtStore } from './store.js';

/** Each with the settings that it goes by: with a wrong one it would look somewhere else than was meant. */
const LOOKS: readonly { look: Look; by: readonly string[] }[] = [
  { look: lookAtFolder, by: [] },
  { look: lookAtRedis, by: ['REDIS_URL', 'PAWL_QUEUE_PREFIX'] },
  { look: lookAtStore, by: ['PAWL_STORE', 'S3_ENDPOINT'] },
  { look: lookAtClock, by: ['PAWL_STORE', 'S3_ENDPOINT'] },
  { look: lookAtData, by: ['PAWL_DATA_BUCKETS', 'PAWL_STORE', 'S3_ENDPOINT'] },
  { look: lookAtApi, by: ['PAWL_URL', 'PAWL_PORT', 'PAWL_API_TOKEN'] },
  { look: lookAtEngines, by: ['PAWL_ENGINE'] },
  { look: lookAtGpu, by: [] },
];

/** @param tell of each look, as it is done; the engines take their time */
export async function diagnose({ env, cwd, tell }: { env: Environment; cwd: string; tell: (findings: readonly Finding[]) => void }): Promise<Finding[]> {
  const all: Finding[] = [];
  const add = (findings: readonly Finding[]): void => {
    all.push(...findings);
    tell(findings);
  };
  add(await lookAtNode(process.versions.node));
  const { findings, wrong, ...means } = readSettings(env, cwd);
  add(findings);
  for (const { look, by } of LOOKS) if (!by.some((name) => wrong.includes(name))) add(await look(means));
  return all;
}

export type { Finding } from './finding.js';
