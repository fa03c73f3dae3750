// `pawl submit`: a spec from a file or standard input, changed by --set, sent once however often it is tried.
import { messageOf } from '../../../lib/errors.js';
import { type AddCommands, type CliContext, command, usageError, withExamples } from '../context.js';
import { fileName, readText } from '../document-file.js';
import { watchJob } from './watch.js';

interface SubmitOptions {
  json?: boolean;
  watch?: boolean;
  dryRun?: boolean;
  idempotencyKey?: string;
  set: string[];
}

export const addSubmit: AddCommands = (program, context) => {
  const submit = command(program, 'submit <file>', 'submit a job from a JSON file, or from standard input with -')
    .option('--watch', 'stay and watch it')
    .option('--dry-run', 'only say what it would be: nothing is stored')
    .option('--idempotency-key <key>', 'the same key and spec make one job, however often they are sent')
    .option('--set <path=value>', 'change a value of the spec: training.epochs=5 (repeatable)', (text: string, all: string[]) => [...all, text], [])
    .action(async (file: string, options: SubmitOptions) => {
      const spec = changed(await readSpec(file, context), options.set);
      const client = context.client();
      if (options.dryRun) {
        context.out(JSON.stringify(await client.dryRun(spec), null, 2));
        return;
      }
      const { job, replayed } = await client.submit(spec, options.idempotencyKey === undefined ? {} : { idempotencyKey: options.idempotencyKey });
      if (options.json) context.out(JSON.stringify(job));
      else context.out(`${replayed ? 'already submitted' : 'submitted'}: ${job.id}${options.watch ? '' : `   (pawl watch ${job.id})`}`);
      if (options.watch) await watchJob(context, job.id, { json: options.json ?? false });
    });
  withExamples(
    submit,
    ['pawl submit job.json --watch', 'pawl submit job.json --set training.epochs=5 --set name=short', 'pawl submit job.json --dry-run'],
    'docs/spec-reference.md has every field of a job. Exit code 2 if the spec is refused; with --watch, 1 if the job fails.',
  );
};

async function readSpec(file: string, context: CliContext): Promise<unknown> {
  const text = await readText(file, context);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw usageError(fileName(file), `is not JSON: ${messageOf(error)}`);
  }
}

/** The spec with `path=value` applied; a value that is no JSON is a text. */
export function changed(spec: unknown, assignments: readonly string[]): unknown {
  let result = spec;
  for (const assignment of assignments) {
    const equals = assignment.indexOf('=');
    const path = assignment.slice(0, equals).split('.');
    if (equals < 1 || path.some((key) => key === '')) throw usageError('--set', `takes path=value, such as training.epochs=5, got ${JSON.stringify(assignment)}`);
    result = withValue(result, path, valueOf(assignment.slice(equals + 1)), assignment);
  }
  return result;
}

function withValue(target: unknown, [key, ...rest]: readonly string[], value: unknown, assignment: string): unknown {
  if (key === undefined) return value;
  const inner = (held: unknown): unknown => withValue(held, rest, value, assignment);
  if (Array.isArray(target)) {
    const index = Number(key);
    if (!Number.isInteger(index) || index < 0 || index >= target.length) throw usageError('--set', `${assignment}: there is no item ${key} in a list of ${target.length}`);
    return target.map((item: unknown, at) => (at === index ? inner(item) : item));
  }
  if (target !== undefined && (typeof target !== 'object' || target === null)) throw usageError('--set', `${assignment}: ${key} is inside something that is no object`);
  const entries = new Map<string, unknown>(Object.entries(target ?? {}));
  return Object.fromEntries(entries.set(key, inner(entries.get(key))));
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
