// Runs other programs and finds them on PATH. Never blocks the event loop, so that locks stay fresh meanwhile.
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { SetupError } from './say.mjs';

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set();

// A set-up that is ended takes npm, pip and the compilers with it.
process.on('exit', () => {
  for (const child of children) child.kill();
});

/** @param {string} file */
export function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/**
 * The absolute path of a program on PATH, or null.
 * @param {string} name
 */
export function findOnPath(name) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    if (isAbsolute(folder) && isProgram(join(folder, name))) return join(folder, name);
  }
  return null;
}

/**
 * Runs a program to its end. A program that does not exist ends with code 127, as in a shell.
 * @param {string} program @param {string[]} args
 * @param {{ cwd?: string, env?: Record<string, string> }} [options] env is added to ours
 * @returns {Promise<{ code: number, stdout: string, output: string }>} output is both streams in order
 */
export function run(program, args, options = {}) {
  return new Promise((resolve) => {
    let stdout = '';
    let output = '';
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.add(child);
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    child.on('error', (error) => resolve({ code: 127, stdout, output: `${output}${error.message}\n` }));
    child.on('close', (code, signal) => {
      children.delete(child);
      resolve({ code: code ?? 1, stdout, output: signal ? `${output}ended by ${signal}\n` : output });
    });
  });
}

/**
 * Like run, but a failure is an error that carries the program's last lines.
 * @param {string} problem @param {string} remedy
 * @param {string} program @param {string[]} args @param {{ cwd?: string, env?: Record<string, string> }} [options]
 */
export async function mustRun(problem, remedy, program, args, options) {
  const result = await run(program, args, options);
  if (result.code !== 0) throw new SetupError(problem, remedy, lastLines(result.output));
  return result.stdout;
}

/**
 * The one line of a failed program that says most: its last error, or how it ended.
 * @param {string} output
 */
export function causeOf(output) {
  const lines = output.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  return lines.findLast((line) => /^(ended by |\w*error\b)/i.test(line)) ?? lines.at(-1) ?? 'without a word';
}

/** @param {string} output */
export function lastLines(output, count = 15) {
  return output.trimEnd().split('\n').slice(-count).join('\n');
}
