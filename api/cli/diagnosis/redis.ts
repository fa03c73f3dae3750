// Redis: whether it answers, and whether it can be trusted with the queue.
import { messageOf } from '../../../lib/errors.js';
import { silentLog } from '../../../lib/log.js';
import { connectQueue } from '../../../lib/queue/index.js';
import { findRedisServer } from '../redis-server.js';
import { type Finding, fixFor, type Look, ok, problem } from './finding.js';

const OTHERWISE = 'start Redis there, or correct REDIS_URL; without REDIS_URL `pawl up` starts a Redis of its own';
/** The user may not ask for what is looked at here; jobs need no INFO. */
const NO_INFO = /NOPERM.*'info'/i;
const FIXES: readonly (readonly [RegExp, string])[] = [
  [/NOAUTH|WRONGPASS|invalid password|without any password/, 'put its password into REDIS_URL: redis://:PASSWORD@HOST:6379 (or USER:PASSWORD)'],
  [/NOPERM/, 'let the user of REDIS_URL use all commands on the keys of PAWL_QUEUE_PREFIX (pawl:*)'],
  [/ENOTFOUND|EAI_AGAIN/, 'correct the host in REDIS_URL'],
  [/RESP type|Protocol error|wrong version number|packet length/, 'something else than this kind of Redis answers there: correct REDIS_URL (rediss:// is Redis over TLS)'],
];

export const lookAtRedis: Look = async ({ config: { redisUrl, queuePrefix }, env }) => {
  if (redisUrl === null) {
    return findRedisServer(env).then(
      (path) => [ok('redis', `REDIS_URL is not set; \`pawl up\` starts ${path}`)],
      () => [problem('redis', 'REDIS_URL is not set, and there is no redis-server or valkey-server on the PATH', '`npm run setup` installs one; or set REDIS_URL')],
    );
  }
  const queue = connectQueue({ url: redisUrl, prefix: queuePrefix, log: silentLog });
  try {
    const { redis, kind, version, roundTripMs, problems } = await queue.check();
    return [ok('redis', `${kind} ${version} at ${redis}, ${roundTripMs} ms away`), ...problems.map(({ level, message, fix }): Finding => ({ about: 'redis', level, message, fix }))];
  } catch (error) {
    const message = messageOf(error).replace(/^check Redis: /, '');
    if (NO_INFO.test(message)) return [problem('redis', `it answers, but does not say which one it is and whether it forgets or evicts: ${message}`, 'let the user of REDIS_URL use INFO (redis-cli ACL SETUSER USER +info)', 'warning')];
    return [problem('redis', message, fixFor(message, FIXES, OTHERWISE))];
  } finally {
    await queue.close();
  }
};
