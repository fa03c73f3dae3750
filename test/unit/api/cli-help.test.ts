// Every command's help ends with command lines that could be typed: their commands, options and arguments are there.
import { expect, it } from 'vitest';
import type { CliContext } from '../../../api/cli/context.js';
import { makeProgram } from '../../../api/cli/program.js';

const unused = (): never => {
  throw new Error('help needs none of this');
};
const context: CliContext = { env: {}, json: false, config: unused, client: unused, out: unused, err: unused, terminal: null, readInput: unused, onInterrupt: unused, exit: unused };
const program = makeProgram(context);

function helpOf(command: (typeof program.commands)[number]): string {
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
  return help;
}
const examplesIn = (help: string): string[] => [...(/^Examples?:\n((?: {2}.*\n)+)/m.exec(help)?.[1] ?? '').matchAll(/^ {2}(.*)$/gm)].map(([, line]) => line!);

type Made = (typeof program.commands)[number];
/** Each command, by how it is called: `sweep start`. */
const calledIn = (command: Made, before = ''): [string, Made][] => command.commands.flatMap((each) => [[`${before}${each.name()}`, each] as [string, Made], ...calledIn(each, `${before}${each.name()} `)]);
const called = calledIn(program);
/** The command at the beginning of what was typed, and the rest of it. */
function found(words: readonly string[], command: Made = program): { command: Made; rest: readonly string[] } {
  const next = command.commands.find((each) => each.name() === words[0]);
  return next === undefined ? { command, rest: words } : found(words.slice(1), next);
}

it.each([['pawl', program] as [string, Made], ...called])('%s has examples', (name, command) => {
  const lines = examplesIn(helpOf(command));
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.some((line) => new RegExp(`\\bpawl ${name === 'pawl' ? '' : name}`).test(line))).toBe(true);
  for (const typed of lines.flatMap((line) => line.split(' && '))) {
    // a text in quotes is one word
    const words = /\bpawl (.*)$/.exec(typed)![1]!.match(/"[^"]*"|\S+/g)!;
    if (words[0] === 'help') continue;
    const { command: meant, rest } = found(words);
    // a family is no command of its own
    expect([typed, meant.commands.length, meant === program]).toEqual([typed, 0, false]);
    const options = rest.filter((word) => word.startsWith('--'));
    for (const option of options) expect([typed, meant.options.map(({ long }) => long)]).toEqual([typed, expect.arrayContaining([option]) as string[]]);
    const given = rest.filter((word, index) => !word.startsWith('--') && !(rest[index - 1]?.startsWith('--') && meant.options.find(({ long }) => long === rest[index - 1])?.required));
    const wanted = meant.registeredArguments;
    expect([typed, given.length >= wanted.filter(({ required }) => required).length, given.length <= wanted.length || wanted.at(-1)?.variadic === true]).toEqual([typed, true, true]);
  }
});

it('commands with an API have --json, and so has everything that prints a result', () => {
  const without = called.filter(([, { commands, options }]) => commands.length === 0 && !options.some(({ long }) => long === '--json')).map(([name]) => name);
  // roles log lines of JSON anyhow
  expect(without).toEqual(['api', 'worker', 'controller']);
});
