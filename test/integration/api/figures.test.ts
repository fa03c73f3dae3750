// What Prometheus reads while others read it too, and while Redis is away.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeFigures } from '../../../api/figures.js';
import { startRedis, type RedisServer } from '../../support/redis.js';
import { testQueue } from '../queue/setup.js';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis({ appendonly: false });
});
afterAll(() => redis.stop());

it('says the fleet’s sums once, however many ask at the same time', async () => {
  const queue = testQueue(redis.url, { timing: { commandTimeoutMs: 5_000, callTimeoutMs: 5_000 } });
  await queue.tallies.add({ commits: 3, 'attempts_ended:completed': 2 });
  const { read } = makeFigures(queue, () => 0);
  for (const { text } of await Promise.all([read(), read(), read()])) {
    expect(text).toMatch(/^pawl_checkpoints_total 3$/m);
    expect(text).toMatch(/^pawl_attempts_ended_total\{end_reason="completed"\} 2$/m);
  }
});
