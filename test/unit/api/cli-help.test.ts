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

it.each([program, ...program.commands].map((command) => [command.name(), command] as const))('%s has examples', (name, command) => {
  const lines = examplesIn(helpOf(command));
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.some((line) => new RegExp(`\\bpawl ${name === 'pawl' ? '' : name}`).test(line))).toBe(true);
  for (const typed of lines.flatMap((line) => line.split(' && '))) {
    const [, called = '', rest = ''] = /\bpawl (\S+)(.*)$/.exec(typed)!;
    const found = program.commands.find((each) => each.name() === called || called === 'help');
    expect([typed, found?.name()]).toEqual([typed, expect.any(String)]);
    if (called === 'help') continue;
    const options = [...rest.matchAll(/ (--[a-z-]+)/g)].map(([, option]) => option!);
    for (const option of options) expect([typed, found!.options.map(({ long }) => long)]).toEqual([typed, expect.arrayContaining([option]) as string[]]);
    const given = rest.split(' ').slice(1).filter((word, index, words) => !word.startsWith('--') && !(words[index - 1]?.startsWith('--') && found!.options.find(({ long }) => long === words[index - 1])?.required));
    expect([typed, given.length]).toEqual([typed, found!.registeredArguments.length]);
  }
});

it('commands with an API have --json, and so has everything that prints a result', () => {
  const without = program.commands.filter(({ options }) => !options.some(({ long }) => long === '--json')).map((command) => command.name());
  // roles log lines of JSON anyhow
  expect(without).toEqual(['api', 'worker', 'controller']);
});
