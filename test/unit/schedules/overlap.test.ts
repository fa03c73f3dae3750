import { expect, it } from 'vitest';
import { OVERLAP_POLICIES } from '../../../lib/contract/schedule.js';
import { BUFFER_MAX, overlapActions, RUNNING_MAX, type Running } from '../../../lib/schedules/overlap.js';

const running: Record<string, readonly Running[]> = {
  nothing: [],
  one: [{ fire: 'r1', stop: null }],
  'one that pauses': [{ fire: 'r1', stop: 'pause' }],
  'one that is being cancelled': [{ fire: 'r1', stop: 'cancel' }],
  two: [{ fire: 'r1', stop: null }, { fire: 'r2', stop: null }],
};
const buffered: Record<string, readonly string[]> = { none: [], one: ['b1'], two: ['b1', 'b2'] };

/** What is done, in words; every policy × what runs × what waits. */
const table: Record<string, Record<string, Record<string, string>>> = {
  skip: {
    nothing: { none: 'start', one: 'skip:running', two: 'skip:running' },
    one: { none: 'skip:running', one: 'skip:running', two: 'skip:running' },
    'one that pauses': { none: 'skip:running', one: 'skip:running', two: 'skip:running' },
    'one that is being cancelled': { none: 'skip:running', one: 'skip:running', two: 'skip:running' },
    two: { none: 'skip:running', one: 'skip:running', two: 'skip:running' },
  },
  buffer_one: {
    nothing: { none: 'start', one: 'skip:buffer_full', two: 'skip:buffer_full' },
    one: { none: 'buffer', one: 'skip:buffer_full', two: 'skip:buffer_full' },
    'one that pauses': { none: 'buffer', one: 'skip:buffer_full', two: 'skip:buffer_full' },
    'one that is being cancelled': { none: 'buffer', one: 'skip:buffer_full', two: 'skip:buffer_full' },
    two: { none: 'buffer', one: 'skip:buffer_full', two: 'skip:buffer_full' },
  },
  buffer_all: {
    nothing: { none: 'start', one: 'buffer', two: 'buffer' },
    one: { none: 'buffer', one: 'buffer', two: 'buffer' },
    'one that pauses': { none: 'buffer', one: 'buffer', two: 'buffer' },
    'one that is being cancelled': { none: 'buffer', one: 'buffer', two: 'buffer' },
    two: { none: 'buffer', one: 'buffer', two: 'buffer' },
  },
  cancel_other: {
    nothing: { none: 'start', one: 'b1:superseded buffer', two: 'b1:superseded b2:superseded buffer' },
    one: { none: 'pause r1 buffer', one: 'pause r1 b1:superseded buffer', two: 'pause r1 b1:superseded b2:superseded buffer' },
    'one that pauses': { none: 'buffer', one: 'b1:superseded buffer', two: 'b1:superseded b2:superseded buffer' },
    'one that is being cancelled': { none: 'buffer', one: 'b1:superseded buffer', two: 'b1:superseded b2:superseded buffer' },
    two: { none: 'pause r1 pause r2 buffer', one: 'pause r1 pause r2 b1:superseded buffer', two: 'pause r1 pause r2 b1:superseded b2:superseded buffer' },
  },
  terminate_other: {
    nothing: { none: 'start', one: 'b1:superseded buffer', two: 'b1:superseded b2:superseded buffer' },
    one: { none: 'cancel r1 buffer', one: 'cancel r1 b1:superseded buffer', two: 'cancel r1 b1:superseded b2:superseded buffer' },
    'one that pauses': { none: 'cancel r1 buffer', one: 'cancel r1 b1:superseded buffer', two: 'cancel r1 b1:superseded b2:superseded buffer' },
    'one that is being cancelled': { none: 'buffer', one: 'b1:superseded buffer', two: 'b1:superseded b2:superseded buffer' },
    two: { none: 'cancel r1 cancel r2 buffer', one: 'cancel r1 cancel r2 b1:superseded buffer', two: 'cancel r1 cancel r2 b1:superseded b2:superseded buffer' },
  },
  allow_all: Object.fromEntries(Object.keys(running).map((runs) => [runs, { none: 'start', one: 'start', two: 'start' }])),
};

function inWords(...situation: Parameters<typeof overlapActions>): string {
  return overlapActions(...situation)
    .map((action) => {
      switch (action.kind) {
        case 'start':
        case 'buffer':
          expect(action.fire).toBe('due');
          return action.kind;
        case 'skip':
          return `${action.fire === 'due' ? 'skip' : action.fire}:${action.reason}`;
        case 'cancel_other':
          return `pause ${action.fire}`;
        case 'terminate_other':
          return `cancel ${action.fire}`;
      }
    })
    .join(' ');
}

const cases = OVERLAP_POLICIES.flatMap((policy) => Object.keys(running).flatMap((runs) => Object.keys(buffered).map((waits) => ({ policy, runs, waits, expected: table[policy]![runs]![waits]! }))));

it.each(cases)('$policy, while $runs runs and $waits waits: $expected', ({ policy, runs, waits, expected }) => {
  expect(inWords({ policy, running: running[runs]!, buffered: buffered[waits]!, due: 'due' })).toBe(expected);
});

it('lets no more wait, or run side by side, than anyone can look after', () => {
  const many = Array.from({ length: BUFFER_MAX }, (_, index) => `b${index}`);
  const runs = Array.from({ length: RUNNING_MAX }, (_, index): Running => ({ fire: `r${index}`, stop: null }));
  expect(inWords({ policy: 'buffer_all', running: running['one']!, buffered: many, due: 'due' })).toBe('skip:buffer_full');
  expect(inWords({ policy: 'allow_all', running: runs, buffered: [], due: 'due' })).toBe('skip:too_many_running');
});
