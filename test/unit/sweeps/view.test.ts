// What users see of a sweep's state, beyond what the API's tests ask for: names of keys, tables, and verbs on a log that others write.
import { describe, expect, it } from 'vitest';
import type { Trial } from '../../../lib/contract/sweep-views.js';
import { isAppError } from '../../../lib/errors.js';
import { sayToSweep } from '../../../lib/sweeps/control.js';
import { trialsCsv } from '../../../lib/sweeps/csv.js';
import type { SweepEvent, SweepVerb } from '../../../lib/sweeps/events.js';
import type { SweepLog } from '../../../lib/sweeps/log.js';
import { isSweepId, newestSweepKey, sweepOfNewest } from '../../../lib/sweeps/names.js';

describe('the marker of a sweep', () => {
  it('gives its sweep back, and lies before those of older ones', () => {
    const ids = ['swp_01jz0000000000000000000000', 'swp_01jz0000000000000000000001', 'swp_01jzzzzzzzzzzzzzzzzzzzzzzz', 'swp_01k0abcdefghjkmnpqrstvwxyz', 'swp_7zzzzzzzzzzzzzzzzzzzzzzzzz'];
    for (const id of ids) expect([isSweepId(id), sweepOfNewest(newestSweepKey(id))]).toEqual([true, id]);
    expect(ids.map(newestSweepKey).sort()).toEqual(ids.toReversed().map(newestSweepKey));
    for (const text of ['swp_01', 'job_01jz0000000000000000000000', 'swp_01JZ0000000000000000000000', 'swp_01jzi000000000000000000000', '']) expect([text, isSweepId(text)]).toEqual([text, false]);
  });
});

describe('a table of trials', () => {
  const trial = (params: Record<string, unknown>): Trial => ({ id: 'swp_x.0', object: 'trial', number: 0, params, status: 'succeeded', bracket: 0, fork: null, step: null, up_to: null, value: 0.25, values: [], job_id: null, client: null, started_at: '2026-01-31T12:00:00.000Z', ended_at: '2026-01-31T12:05:00.000Z', why: [] });

  it('has a column for each parameter, whatever its values are', () => {
    expect(trialsCsv(['a', 'b,"c"'], [trial({ 'b,"c"': 'x\ny' }), trial({ a: [1, 2], 'b,"c"': false }), trial({ a: null })])).toBe(
      ['number,id,status,value,a,"b,""c""",job_id,started_at,ended_at', '0,swp_x.0,succeeded,0.25,,"x\ny",,2026-01-31T12:00:00.000Z,2026-01-31T12:05:00.000Z', '0,swp_x.0,succeeded,0.25,"[1,2]",false,,2026-01-31T12:00:00.000Z,2026-01-31T12:05:00.000Z', '0,swp_x.0,succeeded,0.25,,,,2026-01-31T12:00:00.000Z,2026-01-31T12:05:00.000Z', ''].join('\r\n'),
    );
  });
});

describe('a verb', () => {
  /** A log in which so many others come first, each of whom has said something. */
  function logWith(others: readonly SweepVerb[]): { log: Pick<SweepLog, 'catchUp' | 'state' | 'append' | 'confirm' | 'record'>; said: SweepVerb[] } {
    const said: SweepVerb[] = ['resume'];
    const state = () => ({ end: null, verb: said.at(-1)! }) as Awaited<ReturnType<SweepLog['catchUp']>>;
    const waiting = [...others];
    return {
      said,
      log: {
        record: { id: 'swp_x', created_at: '', spec: null as never, schedule: null },
        catchUp: () => Promise.resolve(state()),
        state,
        confirm: () => Promise.resolve(),
        append: (event: SweepEvent) => {
          const other = waiting.shift();
          said.push(other ?? (event as { verb: SweepVerb }).verb);
          return Promise.resolve(other === undefined);
        },
      },
    };
  }
  const say = (log: object, verb: SweepVerb): Promise<void> => sayToSweep(log as SweepLog, verb);

  it('is said after what others said first, unless that is the same, or against it', async () => {
    const { log, said } = logWith(['pause', 'resume']);
    await say(log, 'suspend');
    expect(said).toEqual(['resume', 'pause', 'resume', 'suspend']);
    const same = logWith(['pause']);
    await say(same.log, 'pause');
    expect(same.said).toEqual(['resume', 'pause']);
    const over = logWith(['cancel']);
    await expect(say(over.log, 'pause')).rejects.toSatisfy((error) => isAppError(error, 'invalid_state'));
  });

  it('gives up on a log that never stops growing', async () => {
    await expect(say(logWith(Array.from({ length: 1_000 }, (_, index) => (index % 2 === 0 ? 'pause' : 'resume'))).log, 'suspend')).rejects.toSatisfy((error) => isAppError(error, 'store_unavailable'));
  });
});
