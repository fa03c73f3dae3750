// The long proofs (`npm run prove [-- project …]`): every cut of the resume matrix with exhaustive pairs, many more
// interleavings of the commit protocol, every kill. Each project that passes gets its row in docs/proofs.md, with commit,
// date and machine; the rows of projects that were not run stay. About two hours in all on two cores.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const env = { PAWL_MATRIX: 'all', PAWL_PROTOCOL_RUNS: '200000', PAWL_MUTANT_SEEDS: '20000', PAWL_CHAOS_MINUTES: '5', PAWL_CHAOS_SEEDS: '1,2,3', REQUIRE_S3: '1', REQUIRE_TENSORFLOW: '1' };
/** In the order of how soon each would tell of a mistake. */
const projects = ['unit', 'integration', 'wasm', 'chaos', 'protocol', 'resume'];
const chosen = process.argv.slice(2).filter((name) => projects.includes(name));

const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
const commit = `${git('rev-parse', '--short=12', 'HEAD')}${git('status', '--porcelain', '--', '.', ':!docs/proofs.md') === '' ? '' : ' with uncommitted changes'}`;
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

/** Rows of earlier runs, by project. */
const page = join(root, 'docs', 'proofs.md');
const rows = new Map();
if (existsSync(page)) for (const line of readFileSync(page, 'utf8').split('\n')) if (projects.includes(line.split(' | ')[0].slice(2))) rows.set(line.split(' | ')[0].slice(2), line);

let ok = true;
for (const project of chosen.length > 0 ? chosen : projects) {
  const { passed, failed, skipped, seconds, code } = await run(project);
  ok &&= code === 0;
  if (code !== 0) continue;
  rows.set(project, `| ${project} | ${passed} | ${failed} | ${skipped} | ${seconds} | ${new Date().toISOString().slice(0, 10)} | ${commit} | Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'} |`);
  writeFileSync(page, text());
}
rmSync(folder, { recursive: true, force: true });
process.stdout.write(`\n${text()}\n${ok ? 'All passed; docs/proofs.md is up to date.' : 'FAILED: what did not pass keeps its earlier row in docs/proofs.md.'}\n`);
process.exitCode = ok ? 0 : 1;

function text() {
  return `# The long proofs: last run of each

\`npm run prove\`, with ${Object.entries(env).map(([name, value]) => `\`${name}=${value}\``).join(', ')}. A row is written when all tests of the project passed.

| tests | passed | failed | skipped | seconds | date | commit | machine |
|---|---|---|---|---|---|---|---|
${projects.filter((project) => rows.has(project)).map((project) => rows.get(project)).join('\n')}

- **protocol**: random interleavings of claims, commits, verbs, retries, retention and two controllers on a store whose writes may be delayed, lost after taking effect or answered late; and copies of the protocol with one rule taken out, each of which has to be caught.
- **wasm**: the tests of the engine once more, on the engine wasm.
- **resume**: five models and six optimizers on two engines, every other attempt with two lanes, cut at every micro-batch by notice and by SIGKILL, in every validation batch, at every pair of micro-batches, and at 40 random pairs and triples each, resumed in fresh processes: weights, slots, accumulator and statistics at every snapshot, rows and data order equal byte for byte.
- **chaos**: trainer, supervisor, Redis, S3 server and the whole system killed inside windows; zombies; damaged checkpoints; full disks; verbs raced against all of it; and whole systems under a seed's schedule of strikes, watched from outside (docs/chaos.md).
`;
}
