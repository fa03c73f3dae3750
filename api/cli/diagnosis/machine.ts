// The machine itself: Node.js, the settings, the data folder, and the places of data.
import { randomUUID } from 'node:crypto';
import { access, constants, mkdir, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Config, readConfig, storeOptions } from '../../../lib/config.js';
import { AppError, messageOf } from '../../../lib/errors.js';
import { openDataPlaces } from '../../../lib/store/open.js';
import { assertSafeBinding } from '../../security.js';
import { packageRoot } from '../package-root.js';
import type { Environment } from '../processes.js';
import { bytes } from '../render.js';
import { type Finding, fixFor, type Look, ok, problem } from './finding.js';

/** Less is used up by a few checkpoints of a large network. */
const FREE_LEAST_BYTES = 2 * 2 ** 30;
const BUCKET_MS = 5_000;
const TOKEN_FIX = 'export PAWL_API_TOKEN=$(openssl rand -hex 32), the same wherever the API is used';

/** @param version such as process.versions.node */
export async function lookAtNode(version: string): Promise<Finding[]> {
  // set-up's own rule, which is no part of what is compiled
  const { checkNodeVersion } = (await import(pathToFileURL(join(packageRoot(), 'infra/setup/node-version.mjs')).href)) as { checkNodeVersion(version: string): void };
  try {
    checkNodeVersion(version);
    return [ok('node', `Node.js ${version}`)];
  } catch (error) {
    return [problem('node', `this is Node.js ${version}: ${messageOf(error)}`, 'install Node.js 22, such as with `nvm install 22`, and run `npm run setup` again')];
  }
}

export interface Settings {
  /** Without what is wrong. */
  config: Config;
  env: Environment;
  /** The variables that cannot be used: what goes by them cannot be looked at. */
  wrong: readonly string[];
  findings: Finding[];
}

export function readSettings(given: Environment, cwd: string): Settings {
  const env = { ...given };
  const wrong: string[] = [];
  const findings: Finding[] = [];
  const find = (param: string, text: string): void => {
    wrong.push(param);
    findings.push(problem('settings', text, param === 'PAWL_API_TOKEN' ? TOKEN_FIX : `correct ${param} in the environment, or unset it`));
  };
  for (;;) {
    try {
      const config = readConfig(env, cwd);
      try {
        assertSafeBinding({ host: config.host, tokens: config.apiTokens, corsOrigins: config.corsOrigins });
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        if (!wrong.includes('PAWL_API_TOKEN')) find('PAWL_API_TOKEN', error.message);
      }
      return { config, env, wrong, findings };
    } catch (error) {
      const details = error instanceof AppError ? error.details.filter(({ param }) => env[param] !== undefined) : [];
      // nothing more can be left out
      if (details.length === 0) throw error;
      for (const { param, message } of details) {
        find(param, `${param} ${message}`);
        env[param] = undefined;
      }
    }
  }
}

export const lookAtFolder: Look = async ({ config: { dataDir } }) => {
  const probe = join(dataDir, `.doctor-${randomUUID()}`);
  try {
    await mkdir(dataDir, { recursive: true });
    await writeFile(probe, '');
    await rm(probe);
  } catch (error) {
    return [problem('folder', `${dataDir} cannot be written: ${messageOf(error)}`, 'make it a folder that this user may write, or choose another with PAWL_DATA_DIR (`pawl up --data FOLDER`)')];
  }
  const { bavail, bsize } = await statfs(dataDir);
  const free = bavail * bsize;
  if (free < FREE_LEAST_BYTES) return [problem('folder', `${dataDir} has ${bytes(free)} left`, 'free some room there, or choose another folder with PAWL_DATA_DIR (`pawl up --data FOLDER`)', 'warning')];
  return [ok('folder', `${dataDir} can be written, ${bytes(free)} are free`)];
};

export const lookAtData: Look = async (means) => [...(await lookAtRoots(means)), ...(await lookAtBuckets(means))];

const lookAtRoots: Look = async ({ config: { dataRoots } }) => {
  const wrong = (await Promise.all(dataRoots.map(async (root) => ({ root, why: await whyNotRead(root) })))).filter(({ why }) => why !== null);
  if (wrong.length === 0) return [ok('data', `paths are looked for in ${dataRoots.join(', ')}`)];
  return wrong.map(({ root, why }) => problem('data', `PAWL_DATA_ROOTS names ${root}, ${why}`, `mkdir -p ${root}, make it readable, or take it out of PAWL_DATA_ROOTS`));
};

async function whyNotRead(root: string): Promise<string | null> {
  try {
    if (!(await stat(root)).isDirectory()) return 'which is no folder';
    await access(root, constants.R_OK | constants.X_OK);
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'which does not exist' : `which cannot be read (${messageOf(error)})`;
  }
}

/** By an object that is not there: a server that says so lets its bucket be read. */
const lookAtBuckets: Look = async ({ config }) => {
  const { buckets } = await openDataPlaces({ roots: [], closed: [], buckets: config.dataBuckets, store: config.store, s3: { ...storeOptions(config).s3, timeouts: { connectMs: BUCKET_MS, requestMs: BUCKET_MS, budgetMs: BUCKET_MS } }, patienceMs: 0 });
  if (buckets === null) return [];
  try {
    return await Promise.all(config.dataBuckets.map(async (bucket) => {
      const message = await buckets.objects.read({ bucket, key: `pawl-doctor-${randomUUID()}` }, 0, 1, { etag: null }).then(() => '', messageOf);
      if (message === '' || /\((NoSuchKey|NotFound)\b/.test(message)) return ok('data', `the bucket ${bucket} can be read`);
      const why = message.slice(message.indexOf(': ') + 2);
      // without the right to list, S3 says the same of an object that is not there
      if (why.startsWith('access')) return problem('data', `the bucket ${bucket}: ${why}`, 'let AWS_ACCESS_KEY_ID read it (s3:GetObject, s3:ListBucket); without the right to list, this may be all that is wrong', 'warning');
      return problem('data', `the bucket ${bucket}: ${why}`, fixFor(why, [[/no such bucket/, 'make the bucket, or take it out of PAWL_DATA_BUCKETS'], [/another region/, "set AWS_REGION to the bucket's"]], 'S3_ENDPOINT says where its server is, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY who asks'));
    }));
  } finally {
    await buckets.objects.close();
  }
};
