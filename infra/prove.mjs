// The long proofs (`npm run prove`): every cut of the resume matrix with exhaustive pairs, many more interleavings of the
// commit protocol, every kill. Writes what came out, with commit, date and machine, to docs/proofs.md. Takes hours.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const env = { PAWL_MATRIX: 'all', PAWL_PROTOCOL_RUNS: '300000', PAWL_MUTANT_SEEDS: '20000', REQUIRE_S3: '1' };
/** In the order of how soon each would tell of a mistake. */
const projects = ['unit', 'integration', 'chaos', 'protocol', 'resume'];
const chosen = process.argv.slice(2).filter((name) => projects.includes(name));

const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
const commit = `${git('rev-parse', '--short=12', 'HEAD')}${git('status', '--porcelain') === '' ? '' : ' with uncommitted changes'}`;
const folder = mkdtempSync(join(tmpdir(), 'pawl-prove-'));

function run(project) {
  const report = join(folder, `${project}.json`);
  return new Promise((resolve) => {
    const began = Date.now();
    const child = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', '--project', project, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, '--testTimeout=14400000'], { cwd: root, env: { ...process.env, ...env }, stdio: 'inherit' });
    child.once('exit', (code) => {
      const { numPassedTests: passed = 0, numFailedTests: failed = 0, numPendingTests: skipped = 0 } = read(report);
      resolve({ project, passed, failed, skipped, code, seconds: Math.round((Date.now() - began) / 1000) });
    });
  });
}
function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return {};
  }
}

const results = [];
for (const project of chosen.length > 0 ? chosen : projects) results.push(await run(project));
rmSync(folder, { recursive: true, force: true });
const ok = results.every(({ code }) => code === 0);
const rows = results.map(({ project, passed, failed, skipped, seconds }) => `| ${project} | ${passed} | ${failed} | ${skipped} | ${seconds} |`);
const text = `# The long proofs: last full run

\`npm run prove${chosen.length > 0 ? ` -- ${chosen.join(' ')}` : ''}\`, ${new Date().toISOString().slice(0, 10)}, commit ${commit}, Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}.

With ${Object.entries(env).map(([name, value]) => `\`${name}=${value}\``).join(', ')}.

| tests | passed | failed | skipped | seconds |
|---|---|---|---|---|
${rows.join('\n')}

- **protocol**: ${env.PAWL_PROTOCOL_RUNS} random interleavings of claims, commits, verbs, retries, retention and two controllers on a store whose writes may be delayed, lost after taking effect or answered late; and copies of the protocol with one rule taken out, each of which has to be caught.
- **resume**: two models cut at every micro-batch by notice and by SIGKILL, at every pair of micro-batches, and at 40 random triples each, resumed in fresh processes: weights, slots, accumulator, statistics and rows equal byte for byte.
- **chaos**: trainer, supervisor, Redis, S3 server and the whole system killed inside windows; zombies; damaged checkpoints; full disks.
`;
if (ok) writeFileSync(join(root, 'docs', 'proofs.md'), text);
process.stdout.write(`\n${text}\n${ok ? 'Written to docs/proofs.md.' : 'FAILED: docs/proofs.md is left as it was.'}\n`);
process.exitCode = ok ? 0 : 1;
