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
/** By all its words: `submit`, `schedule put`. */
const all = new Map<string, (typeof program.commands)[number]>();
function collect(command: (typeof program.commands)[number], before: string): void {
  const words = `${before}${command.name()}`;
  all.set(words, command);
  for (const each of command.commands) collect(each, `${words} `);
}
for (const command of program.commands) collect(command, '');
/** The one that a line calls, and the words after it; a text in quotes is one. */
function calledIn(line: string): { found: (typeof program.commands)[number] | undefined; rest: string[] } {
  const words = line.match(/"[^"]*"|\S+/g) ?? [];
  const length = all.has(words.slice(0, 2).join(' ')) ? 2 : 1;
  return { found: all.get(words.slice(0, length).join(' ')), rest: words.slice(length) };
}
const examplesIn = (help: string): string[] => [...(/^Examples?:\n((?: {2}.*\n)+)/m.exec(help)?.[1] ?? '').matchAll(/^ {2}(.*)$/gm)].map(([, line]) => line!);

it.each([['pawl', program] as const, ...all])('%s has examples', (name, command) => {
  const lines = examplesIn(helpOf(command));
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.some((line) => new RegExp(`\\bpawl ${name === 'pawl' ? '' : name}`).test(line))).toBe(true);
  for (const typed of lines.flatMap((line) => line.split(' && '))) {
    const line = /\bpawl (.*)$/.exec(typed)![1]!;
    if (line.startsWith('help ')) continue;
    const { found, rest } = calledIn(line);
    expect([typed, found?.name()]).toEqual([typed, expect.any(String)]);
    const options = rest.filter((word) => word.startsWith('--'));
    for (const option of options) expect([typed, found!.options.map(({ long }) => long)]).toEqual([typed, expect.arrayContaining([option]) as string[]]);
    const given = rest.filter((word, index, words) => !word.startsWith('--') && !(words[index - 1]?.startsWith('--') && found!.options.find(({ long }) => long === words[index - 1])?.required));
    expect([typed, given.length]).toEqual([typed, found!.registeredArguments.length]);
  }
});

it('commands with an API have --json, and so has everything that prints a result', () => {
  const without = [...all].filter(([, { options, commands }]) => commands.length === 0 && !options.some(({ long }) => long === '--json')).map(([words]) => words);
  // roles log lines of JSON anyhow
  expect(without).toEqual(['api', 'worker', 'controller']);
});
