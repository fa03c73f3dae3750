import { expect, it } from 'vitest';
import { graceOf, makeNotice, type NoticeFacts } from '../../../worker/supervisor/notice.js';
import { planStop } from '../../../worker/supervisor/pace.js';

const facts = (given: Partial<NoticeFacts>): NoticeFacts => ({ reason: 'preempted_notice', message: 'the machine goes', deadlineMs: null, immediate: false, trainOn: false, ...given });

it('only ever tightens, whatever comes first; the first names the reason', () => {
  const notice = makeNotice();
  let told = 0;
  notice.onGiven(() => told++);
  notice.give(facts({ deadlineMs: 120_000, trainOn: true }));
  notice.give(facts({ deadlineMs: 150_000, trainOn: true, message: 'later' }));
  expect([notice.facts(), told]).toEqual([facts({ deadlineMs: 120_000, trainOn: true }), 1]);
  notice.give(facts({ deadlineMs: 60_000, trainOn: true }));
  expect([notice.facts(), told]).toEqual([facts({ deadlineMs: 60_000, trainOn: true }), 2]);
  notice.give(facts({ reason: 'server_shutdown', message: 'SIGTERM', deadlineMs: 90_000 }));
  expect([notice.facts(), told], 'who waits for it is not kept waiting').toEqual([facts({ deadlineMs: 60_000 }), 3]);
  notice.give(facts({ deadlineMs: 70_000, immediate: true }));
  expect([notice.facts(), told]).toEqual([facts({ deadlineMs: 60_000, immediate: true }), 4]);
  notice.give(facts({}));
  expect(told).toBe(4);
});

it('without a limit is as soon as possible, and takes one that comes later', () => {
  const notice = makeNotice();
  notice.give(facts({}));
  notice.give(facts({ deadlineMs: 5_000, trainOn: true }));
  expect(notice.facts()).toEqual(facts({ deadlineMs: 5_000 }));
});

it('of a cloud never ends a trainer before it can hear of it', () => {
  expect([null, 30_000, 500, 0].map(graceOf)).toEqual([120_000, 30_000, 1_000, 1_000]);
  const [hearMs, saveMs, deadlineMs] = [1, 1, graceOf(0)];
  expect(planStop({ deadlineMs, trainOn: true }, { hearMs, saveMs }, 0), 'and is not trained on for').toMatchObject({ leftMs: 1_000, trainOnMs: 0 });
});
