// What Redis knows of jobs beyond their HEADs: whether an owner still speaks and how far it is. With Redis away the answer is
// `unknown`, which is no failure: everything that is promised stands in HEAD.
import type { Head } from '../contract/records.js';
import { isAppError } from '../errors.js';
import type { HeardBeat, Heartbeats } from '../queue/index.js';
import { inParallel } from './recent.js';
import type { LiveFacts } from './view.js';

const ASK_WIDTH = 16;
const UNOWNED: LiveFacts = { signs: 'unknown', progress: null };

export interface Asked {
  id: string;
  head: Head;
}

/** One answer for each, in their order. */
export async function liveFactsOf(heartbeats: Pick<Heartbeats, 'readMany' | 'signs'>, jobs: readonly Asked[]): Promise<LiveFacts[]> {
  const owned = jobs.filter(({ head }) => head.owner !== null);
  const facts = new Map<string, LiveFacts>();
  try {
    const beats = await heartbeats.readMany(owned.map(({ id }) => id));
    const entries = owned.map((job, index): [Asked, HeardBeat | null] => [job, beats[index] ?? null]);
    await inParallel(entries, ASK_WIDTH, async ([{ id, head }, beat]) => {
      const attempt = head.owner?.attempt ?? '';
      // A beat of another attempt says nothing about this one; asking for it starts its clock.
      if (beat?.attempt !== attempt) facts.set(id, { signs: await heartbeats.signs(id, attempt), progress: null });
      else facts.set(id, { signs: beat.alive ? beat.phase : 'silent', progress: beat.progress });
    });
  } catch (error) {
    if (!isAppError(error, 'queue_unavailable')) throw error;
  }
  return jobs.map(({ id }) => facts.get(id) ?? UNOWNED);
}
