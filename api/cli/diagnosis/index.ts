// Everything that `doctor` looks at, in order.
import type { Environment } from '../processes.js';
import { lookAtApi } from './address.js';
import { lookAtEngines, lookAtGpu } from './engines.js';
import type { Finding, Look } from './finding.js';
import { lookAtData, lookAtFolder, lookAtNode, readSettings } from './machine.js';
import { lookAtRedis } from './redis.js';
import { lookAtClock, lookAtStore } from './store.js';

const LOOKS: readonly Look[] = [lookAtFolder, lookAtRedis, lookAtStore, lookAtClock, lookAtData, lookAtApi, lookAtEngines, lookAtGpu];

/** @param tell of each look, as it is done; the engines take their time */
export async function diagnose({ env, cwd, tell }: { env: Environment; cwd: string; tell: (findings: readonly Finding[]) => void }): Promise<Finding[]> {
  const all: Finding[] = [];
  const add = (findings: readonly Finding[]): void => {
    all.push(...findings);
    tell(findings);
  };
  add(await lookAtNode(process.versions.node));
  const { config, findings } = readSettings(env, cwd);
  add(findings);
  // nothing can be looked at as it is configured
  if (config === null) return all;
  for (const look of LOOKS) add(await look({ config, env }));
  return all;
}

export type { Finding } from './finding.js';
