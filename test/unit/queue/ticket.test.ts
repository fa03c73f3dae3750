// Ticket ids, their numbers in the line, and what is accepted as a ticket's data.
import { describe, expect, it } from 'vitest';
import { jobPriority, parseTicketData, parseTicketId, queuePriority, reissuedPriority, ticketId } from '../../../lib/queue/ticket.js';

const priorities = Array.from({ length: 201 }, (_, p) => p - 100);

describe('a ticket id', () => {
  it('says job, gen and fence, and is read back', () => {
    const ticket = { job: 'job_01jabcdefghjkmnpqrstvwxyz0', gen: 2, fence: 17 };
    expect(ticketId(ticket)).toBe('job_01jabcdefghjkmnpqrstvwxyz0.g2.f17');
    expect(parseTicketId(ticketId(ticket))).toEqual(ticket);
    for (const id of ['', 'job_1', 'job_1.g1', '.g1.f1', 'job_1.gx.f1', 'job_1.g1.f1.x']) expect(parseTicketId(id)).toBeNull();
  });

  it('is one that BullMQ takes: no colon, no mere number', () => {
    expect(ticketId({ job: 'job_1', gen: 0, fence: 0 })).toMatch(/^(?!\d+$)[^:]+$/);
  });
});

describe('the number of a ticket in the line', () => {
  it('orders by priority, re-issued ones ahead of their own only, and never is 0, which would beat all', () => {
    const line = priorities.flatMap((priority) => [{ priority, reissue: true }, { priority, reissue: false }]);
    const sorted = [...line].sort((a, b) => queuePriority(a.priority, a.reissue) - queuePriority(b.priority, b.reissue));
    const wanted = [...priorities].reverse().flatMap((priority) => [{ priority, reissue: true }, { priority, reissue: false }]);
    expect(sorted).toEqual(wanted);
    expect(queuePriority(100, true)).toBe(1);
    expect(queuePriority(100, false)).toBe(2);
    expect(queuePriority(0, false)).toBe(202);
    expect(queuePriority(-100, false)).toBe(402);
  });

  it('is read back, and only moves up once when the ticket is issued again', () => {
    for (const priority of priorities) {
      for (const reissue of [false, true]) {
        const number = queuePriority(priority, reissue);
        expect(jobPriority(number)).toEqual({ priority, reissue });
        expect(jobPriority(reissuedPriority(number))).toEqual({ priority, reissue: true });
      }
    }
    expect(reissuedPriority(0)).toBe(1);
  });
});

describe('ticket data', () => {
  it('is accepted as it was written, and nothing else is', () => {
    expect(parseTicketData({ job: 'j', gen: 0, fence: 3 })).toEqual({ job: 'j', gen: 0, fence: 3 });
    expect(parseTicketData({ job: 'j', gen: 0, fence: 3, stalls: 2 })).toEqual({ job: 'j', gen: 0, fence: 3, stalls: 2 });
    for (const data of [null, 1, 'x', {}, { job: '', gen: 0, fence: 0 }, { job: 'j', gen: '0', fence: 0 }, { job: 'j', gen: 0, fence: -1 }, { job: 'j', gen: 0.5, fence: 1 }]) {
      expect(parseTicketData(data)).toBeNull();
    }
  });
});
