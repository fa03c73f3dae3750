// The npm packages: installed when node_modules is not what package-lock.json says, without running their scripts.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from './cache.mjs';
import { run } from './run.mjs';
import { say, secondsSince, SetupError } from './say.mjs';

/** @param {string} root the checkout */
export async function setUpPackages(root) {
  if (arePackagesInstalled(root)) return;
  await withLock(join(root, '.pawl', 'packages.lock'), 'installing npm packages', async () => {
    if (arePackagesInstalled(root)) return;
    const startedAtMs = performance.now();
    say('npm packages: installing what package-lock.json names (about a minute with an empty npm cache) ...');
    const result = await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root });
    if (result.code !== 0) {
      // npm names the cause first and ends with a page of help.
      const cause = result.output.split('\n').filter((line) => /^npm error ./.test(line));
      throw new SetupError(
        'npm ci failed.',
        "See npm's lines above; is its registry reachable?",
        (cause.length > 0 ? cause : [result.output]).slice(0, 12).join('\n'),
      );
    }
    say(`npm packages: installed (${secondsSince(startedAtMs)})`);
  });
}

/**
 * Compares package-lock.json with the record npm leaves in node_modules after each installation, so that packages
 * installed by hand count too. Optional packages may be missing: most are for other platforms.
 * @param {string} root
 */
function arePackagesInstalled(root) {
  const wanted = readPackages(join(root, 'package-lock.json'));
  const found = readPackages(join(root, 'node_modules', '.package-lock.json'));
  if (!wanted) throw new Error(`${join(root, 'package-lock.json')} cannot be read`);
  if (!found) return false;
  delete wanted[''];
  const same = Object.entries(wanted).every(([path, { version, integrity, optional, devOptional }]) => {
    const there = found[path];
    return there ? there.version === version && there.integrity === integrity : optional || devOptional;
  });
  return same && Object.keys(found).every((path) => path in wanted);
}

/**
 * @param {string} file
 * @returns {Record<string, { version?: string, integrity?: string, optional?: boolean, devOptional?: boolean }> | null}
 */
function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return null;
  }
}
