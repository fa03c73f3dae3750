// Trials that a program of one's own runs: `sweep ask` and `sweep tell`, for scripts without an HTTP client.
import type { Command } from 'commander';
import { TELL_STATES, type TellInput } from '../../../lib/contract/external.js';
import { type CliContext, command, usageError, wholeOf, withExamples } from '../context.js';
import { plural } from '../render.js';
import { givenTable } from '../sweep-text.js';

interface AskOptions {
  json?: boolean;
  count?: string;
  client?: string;
}
interface TellOptions {
  json?: boolean;
  value?: string;
  step?: string;
  state?: string;
  client?: string;
}

export function addTrials(sweep: Command, context: CliContext): void {
  const ask = command(sweep, 'ask <id>', 'be given trials of an external sweep, to run them')
    .option('--count <n>', 'how many; 1 without it')
    .option('--client <name>', 'who asks: by the same name the same trials are given again while they run')
    .action(async (id: string, { json, count, client }: AskOptions) => {
      const asked = await context.client().sweeps.ask(id, { ...(count === undefined ? {} : { count: wholeOf('--count', count) }), ...(client === undefined ? {} : { client }) });
      if (json) context.out(JSON.stringify(asked));
      else if (asked.trials.length > 0) context.out(givenTable(asked.trials));
      if (!json && asked.reason !== null) context.err(`${plural(asked.trials.length, 'trial')}, no more: ${asked.reason}${asked.ask_again ? '; asking later may give one' : ''}`);
    });

  const tell = command(sweep, 'tell <id> <trial>', 'say how a trial of an external sweep goes, or ended')
    .option('--value <v>', 'its value, at --step or at its end; nan for one that is no number')
    .option('--step <n>', 'the step that --value is of: it goes on, if the answer does not say otherwise')
    .option('--state <state>', `one of ${TELL_STATES.join(', ')}; without it succeeded where there is a value without a step`)
    .option('--client <name>', 'who tells, as it asked: of a trial that somebody else was given since nothing is changed')
    .action(async (id: string, trial: string, { json, ...options }: TellOptions) => {
      const told = await context.client().sweeps.tell(id, { id: /^\d+$/.test(trial) ? `${id}.${trial}` : trial, ...tellOf(options) });
      if (json) context.out(JSON.stringify(told));
      else context.out(`${told.id} ${told.status}${told.goes_on && told.up_to !== null ? ` (up to ${told.up_to})` : ''}`);
    });

  withExamples(ask, ['pawl sweep ask SWEEP --client "$HOSTNAME" --json', 'pawl sweep ask SWEEP --count 4'], 'Without --client every ask gives new trials. `ask_again` of --json says whether a script is done.');
  withExamples(tell, ['pawl sweep tell SWEEP TRIAL --value 0.131', 'pawl sweep tell SWEEP TRIAL --value 0.402 --step 50 --json', 'pawl sweep tell SWEEP TRIAL --state failed'], 'TRIAL is a number or an id. `goes_on` of --json says whether to train on; exit code 2 where the trial ended otherwise.');
}

function tellOf({ value, step, state, client }: Omit<TellOptions, 'json'>): Omit<TellInput, 'id'> {
  if (step !== undefined && value === undefined) throw usageError('--step', 'needs a --value');
  const number = value === undefined ? undefined : valueOf(value);
  return {
    ...(number === undefined ? {} : step === undefined ? { value: number } : { values: [{ step: wholeOf('--step', step), value: number }] }),
    ...(state === undefined ? {} : { state: stateOf(state) }),
    ...(client === undefined ? {} : { client }),
  };
}

/** NaN and infinity are no value, and JSON has no words for them. @throws AppError invalid_request */
function valueOf(text: string): number | null {
  if (/^[-+]?(nan|inf|infinity)$/i.test(text)) return null;
  if (text.trim() === '' || !Number.isFinite(Number(text))) throw usageError('--value', `takes a number or nan, got ${JSON.stringify(text)}`);
  return Number(text);
}

function stateOf(text: string): (typeof TELL_STATES)[number] {
  const state = TELL_STATES.find((each) => each === text);
  if (!state) throw usageError('--state', `takes one of ${TELL_STATES.join(', ')}, got ${JSON.stringify(text)}`);
  return state;
}
