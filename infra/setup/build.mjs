// TypeScript to dist/: compiled when a source changed since the last good build, and nothing in dist without a source.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { withLock } from './cache.mjs';
import { run } from './run.mjs';
import { say, secondsSince, SetupError } from './say.mjs';

const folders = ['api', 'worker', 'lib', 'infra'];
const settings = ['tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];

/** @param {string} root the checkout */
export async function setUpBuild(root) {
  if (isBuilt(root)) return;
  await withLock(join(root, '.pawl', 'build.lock'), 'compiling', async () => {
    if (isBuilt(root)) return;
    const startedAtMs = performance.now();
    const fingerprint = fingerprintOf(root);
    say('build: compiling TypeScript to dist/ ...');
    // The compiler skips files it wrote before, even if somebody removed them since.
    if (!areOutputsThere(root)) rmSync(join(root, 'dist/.tsbuildinfo'), { force: true });
    removeLeftovers(root);
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const result = await run(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root });
    if (result.code !== 0) {
      throw new SetupError('The TypeScript sources do not compile.', 'Mend the lines above.', result.output.trimEnd());
    }
    writeFileSync(join(root, 'dist/.sources'), fingerprint);
    say(`build: done (${secondsSince(startedAtMs)})`);
  });
}

/** @param {string} root */
function isBuilt(root) {
  const stamp = join(root, 'dist/.sources');
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === fingerprintOf(root) && areOutputsThere(root);
}

/** @param {string} root */
function fingerprintOf(root) {
  const hash = createHash('sha256');
  for (const path of [...sourcesOf(root), ...settings]) {
    const { size, mtimeMs } = statSync(join(root, path));
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

/** @param {string} root */
function areOutputsThere(root) {
  return sourcesOf(root).every((path) => existsSync(join(root, 'dist', path.replace(/\.ts$/, '.js'))));
}

/** A compiled file whose source is gone could still be imported. @param {string} root */
function removeLeftovers(root) {
  for (const path of filesUnder(root, join(root, 'dist'), /\.js$/)) {
    const source = relative('dist', path).replace(/\.js$/, '.ts');
    if (existsSync(join(root, source))) continue;
    for (const suffix of ['', '.map']) rmSync(join(root, path + suffix), { force: true });
  }
}

/** @param {string} root */
function sourcesOf(root) {
  return folders.flatMap((folder) => filesUnder(root, join(root, folder), /(?<!\.d)\.ts$/)).sort();
}

/**
 * Paths relative to the root.
 * @param {string} root @param {string} folder @param {RegExp} pattern
 */
function filesUnder(root, folder, pattern) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}
