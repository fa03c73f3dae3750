// The S3 server that the S3 tests start for themselves: versitygw, found or built with Go. Without either the S3 tests
// are skipped, loudly, unless REQUIRE_S3=1.
import { join } from 'node:path';
import { cacheFolder, publish, withLock } from './cache.mjs';
import { findOnPath, isProgram, lastLines, run } from './run.mjs';
import { say, secondsSince, SetupError, UnavailableError } from './say.mjs';

const version = 'v1.8.0';

/**
 * The server that will be used: versitygw on PATH, then in the cache; or null.
 * @public the rule is kept this plain so that it can be followed elsewhere
 */
export function findVersitygw() {
  const cached = join(cacheFolder(), 'bin', 'versitygw');
  return findOnPath('versitygw') ?? (isProgram(cached) ? cached : null);
}

export async function setUpVersitygw() {
  if (findVersitygw()) return;
  const problem = await withLock(join(cacheFolder(), 'versitygw.lock'), 'building versitygw', async () => {
    if (findVersitygw()) return null;
    return findOnPath('go') ? await build() : 'There is neither a versitygw nor Go to build it with.';
  }).catch((error) => {
    if (error instanceof UnavailableError) return error.message;
    throw error;
  });
  if (problem === null) return;
  const remedy = 'Install Go (1.25 or newer) or versitygw, and run this again.';
  if (process.env.REQUIRE_S3 === '1') throw new SetupError(`REQUIRE_S3=1, but: ${problem}`, remedy);
  say(`*** THE S3 TESTS WILL BE SKIPPED. *** ${problem} ${remedy}`);
}

/** Returns why it did not work, or null. */
async function build() {
  const startedAtMs = performance.now();
  say(`versitygw ${version}: building the S3 test server with Go (2 to 4 minutes, once for this machine) ...`);
  const alive = setInterval(() => say(`versitygw ${version}: still building (${secondsSince(startedAtMs)})`), 20_000);
  let problem = null;
  try {
    await publish(join(cacheFolder(), 'bin', 'versitygw'), async (folder) => {
      const module = `github.com/versity/versitygw/cmd/versitygw@${version}`;
      const result = await run('go', ['install', '-trimpath', '-ldflags=-s -w', module], { env: { GOBIN: folder } });
      if (result.code !== 0) throw new SetupError(`Building versitygw ${version} failed:`, lastLines(result.output, 3));
      return join(folder, 'versitygw');
    });
    say(`versitygw ${version}: built (${secondsSince(startedAtMs)})`);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    problem = error.message;
  } finally {
    clearInterval(alive);
  }
  return problem;
}
