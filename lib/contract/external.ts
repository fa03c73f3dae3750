// Trials that a program of one's own runs: what it sends to be given some and to tell how they go, and what it gets back.
import Type, { type Static } from 'typebox';
import { closed, Count, nullable, oneOf } from './common.js';
import { SWEEP_STATUSES, Trial, TRIAL_EXAMPLE } from './sweep-views.js';

/** Drawn one after the other, each with those before it in mind. */
const ASK_MAX = 100;
const STEPS_MAX = 1_000;

const clientOf = (description: string) => Type.String({ minLength: 1, maxLength: 128, pattern: '^[^\\x00-\\x1f\\x7f]*$', allows: '1 to 128 characters, none of them a control character', description });

export const AskInput = Type.Object(
  {
    count: Type.Optional(Type.Integer({ minimum: 1, maximum: ASK_MAX, default: 1, description: 'how many trials are to run with this client, those that it was given before among them; without `client`, how many more' })),
    client: Type.Optional(clientOf('who asks, by a name of its own. Whoever asks again by the same name, after a crash or a lost answer, gets the same trials while they run')),
  },
  { ...closed, examples: [{ client: 'gpu-3', count: 1 }] },
);
export type AskInput = Static<typeof AskInput>;

const SHORTAGES = ['concurrency', 'paused', 'rungs', 'exhausted', 'stopping', 'over'] as const;
export type Shortage = (typeof SHORTAGES)[number];

export const Asked = Type.Object(
  {
    object: Type.Literal('ask'),
    trials: Type.Array(Trial, { description: 'to be run now: those that the client was given before first' }),
    reason: nullable(oneOf(SHORTAGES), { description: 'why there are fewer than were asked for. `concurrency`: as many run as may; `paused`: the sweep is, or is suspended; `rungs`: one that waits may go on once others have come as far; `exhausted`: all have begun that there are; `stopping`, `over`: the sweep is' }),
    ask_again: Type.Boolean({ description: 'whether asking later may give a trial; false: the client is done once it has told how its trials ended' }),
    status: oneOf(SWEEP_STATUSES, { description: 'of the sweep' }),
  },
  { ...closed, examples: [{ object: 'ask', trials: [TRIAL_EXAMPLE], reason: null, ask_again: true, status: 'running' }] },
);
export type Asked = Static<typeof Asked>;

export const TELL_STATES = ['running', 'succeeded', 'failed', 'pruned'] as const;
const value = (description: string) => Type.Unsafe<number | null>({ anyOf: [{ type: 'number' }, { type: 'null' }], allows: 'a number, or null for NaN', description });
export const TellInput = Type.Object(
  {
    id: Type.String({ description: 'the trial' }),
    client: Type.Optional(clientOf('who tells, as it asked. What it says of a trial that somebody else was given since does not count; without it, whoever tells is believed')),
    value: Type.Optional(value('the value at the end of the trial; null: it is no number (NaN, infinite), and the trial is pruned')),
    values: Type.Optional(Type.Array(Type.Object({ step: Count, value: value('at this step') }, closed), { minItems: 1, maxItems: STEPS_MAX, description: 'values on the way, in the order of their steps. What was told of a step before stands' })),
    state: Type.Optional(oneOf(TELL_STATES, { description: 'how the trial is now; `pruned`: the program has given it up. Without it `succeeded` where there is a `value`, else `running`' })),
  },
  { ...closed, examples: [{ id: TRIAL_EXAMPLE.id, values: [{ step: 50, value: 0.402 }] }] },
);
export type TellInput = Static<typeof TellInput>;

export const ToldTrial = Type.Object(
  { ...Trial.properties, goes_on: Type.Boolean({ description: 'whether the program goes on with it. Otherwise `status` says why: `paused`, it waits at a rung and is given to whoever asks once it may go on; `waiting`, its sweep is suspended; `running`, another `client` has it now; or it is over' }) },
  { ...closed, examples: [{ ...TRIAL_EXAMPLE, goes_on: false }] },
);
export type ToldTrial = Static<typeof ToldTrial>;
