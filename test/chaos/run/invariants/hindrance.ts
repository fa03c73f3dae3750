// What may have kept a worker from committing for a while: the store, or a freeze. What ends an attempt is not among them: that is
// what is measured; nor is its clock, by which nothing is committed. Pure.
import { KINDS, PARTS, type StrikeKind } from '../kinds.js';
import type { Struck } from '../state.js';

/** Times are by the run's own clock, and a strike is told as over when the last of it has been undone. */
const ECHO_MS = 1_000;

export interface Work {
  /** Null: nobody knows which one it was. */
  worker: number | null;
  from: number;
  to: number;
  endReason: string;
}

/** The strike that exempts an attempt from what is said of waste; null: none does. */
export function hindranceOf(strikes: readonly Pick<Struck, 'kind' | 'target' | 'struck' | 'from' | 'to'>[], work: Work): StrikeKind | null {
  return strikes.find((strike) => strike.struck && strike.from <= work.to && (strike.to ?? Infinity) + ECHO_MS >= work.from && hinders(strike, work))?.kind ?? null;
}

function hinders({ kind, target }: Pick<Struck, 'kind' | 'target'>, { worker, endReason }: Work): boolean {
  switch (KINDS[kind].aim) {
    case 'store':
      return true;
    case 'store-gate':
      return worker === null || target === PARTS.length || PARTS[target] === `worker-${worker}`;
    case 'worker':
      if (worker !== null && target !== worker) return false;
      // A trainer that is killed while its worker shuts down cannot save any more.
      return kind === 'worker-cut-off' || kind.endsWith('-freeze') || (kind === 'trainer-kill' && endReason === 'server_shutdown');
    case 'part':
    case 'controller':
    case 'api':
    case 'redis':
    case 'redis-gate':
    case 'job':
      return false;
  }
}
