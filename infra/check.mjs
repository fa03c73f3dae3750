// What must hold before a change is worth reading, in two to three minutes on two cores: types, lint, layers and cycles,
// dead code, unit tests. All of them run whatever the others say. Expects a checkout that is set up.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folders = ['api', 'worker', 'lib', 'infra', 'test'].filter((name) => existsSync(join(root, name)));

/**
 * @typedef {object} Check
 * @property {string} name
 * @property {string} tool a package's program, relative to node_modules
 * @property {string[]} args
 * @property {(code: number, stdout: string) => { ok: boolean, text: string }} [judge] where the exit code does not say it all
 */

/** Longest first, so that the short ones fill the gaps. @type {Check[]} */
const checks = [
  { name: 'lint', tool: 'eslint/bin/eslint.js', args: ['.', '--max-warnings', '0'] },
  { name: 'types', tool: 'typescript/bin/tsc', args: ['--noEmit', '--pretty', 'false'] },
  { name: 'unit tests', tool: 'vitest/vitest.mjs', args: ['run', '--project', 'unit', '--reporter', 'dot'] },
  {
    name: 'layers',
    tool: 'dependency-cruiser/bin/dependency-cruise.mjs',
    args: ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', ...folders],
    judge: judgeLayers,
  },
  { name: 'dead code', tool: 'knip/bin/knip.js', args: ['--no-progress', '--treat-config-hints-as-errors'] },
];

/**
 * dependency-cruiser silently sees no import at all when it cannot parse TypeScript, and then finds no fault.
 * @param {number} code @param {string} stdout
 */
function judgeLayers(code, stdout) {
  let result;
  try {
    result = JSON.parse(stdout);
  } catch {
    return { ok: false, text: stdout };
  }
  const { violations, totalCruised, totalDependenciesCruised } = result.summary;
  const typed = result.modules.filter((module) => /^lib\/.*\.ts$/.test(module.source));
  const edges = typed.flatMap((module) => module.dependencies).filter((to) => /^lib\/.*\.ts$/.test(to.resolved));
  if (edges.length === 0) {
    return { ok: false, text: `It saw no import between the ${typed.length} TypeScript files of lib: it cannot read them.` };
  }
  const lines = violations.map(
    ({ rule, from, to, cycle }) => `${rule.name}: ${from} → ${cycle ? cycle.map((step) => step.name).join(' → ') : to}`,
  );
  lines.push(`${totalCruised} files, ${totalDependenciesCruised} imports, ${violations.length} against the rules`);
  return { ok: code === 0 && violations.length === 0, text: lines.join('\n') };
}

/** @param {Check} check */
function runCheck({ name, tool, args, judge }) {
  const startedAtMs = performance.now();
  return new Promise((resolve) => {
    let stdout = '';
    let output = '';
    const child = spawn(process.execPath, [join(root, 'node_modules', tool), ...args], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined },
    });
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    child.on('close', (code) => {
      const { ok, text } = judge && code !== null ? judge(code, stdout) : { ok: code === 0, text: output };
      const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
      console.log(`${ok ? 'ok    ' : 'FAILED'}  ${name.padEnd(10)} ${seconds.padStart(5)} s`);
      const shown = (ok ? summaryOf(name, text) : text || output).trim();
      if (shown) console.log(shown.replace(/^/gm, '        '));
      resolve(ok);
    });
  });
}

/** What a passed check is worth saying about. @param {string} name @param {string} text */
function summaryOf(name, text) {
  if (name === 'layers') return text;
  if (name === 'unit tests') return text.match(/^\s*Tests .*$/m)?.[0] ?? '';
  return '';
}

async function main() {
  if (!existsSync(join(root, 'node_modules/typescript'))) {
    console.error('check: node_modules is missing; run npm run setup first');
    process.exit(1);
  }
  const startedAtMs = performance.now();
  const waiting = [...checks];
  /** @type {boolean[]} */
  const results = [];
  const lane = async () => {
    for (let check = waiting.shift(); check; check = waiting.shift()) results.push(await runCheck(check));
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), checks.length) }, lane));
  const failed = results.filter((ok) => !ok).length;
  const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
  console.log(`check: ${checks.length - failed} of ${checks.length} passed (${seconds} s)`);
  process.exitCode = failed > 0 ? 1 : 0;
}

await main();
