// A job's journal as server-sent events: from Last-Event-ID on, until the job is over, and then 204 for who comes again.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isAppError } from '../../lib/errors.js';
import { asJobId } from '../../lib/jobs/access.js';
import type { Followed } from '../../lib/jobs/following.js';
import type { RouteDeps } from '../deps.js';
import { type EventStream, frame, openEventStream } from '../event-stream.js';
import { numericCursor } from '../requests.js';

export function makeStreamRoutes({ follower, timing, log }: RouteDeps) {
  const open = new Set<EventStream>();

  async function tell(stream: EventStream, job: string, after: number): Promise<void> {
    for await (const batch of follower.follow(job, after, stream.signal)) await stream.write(batch.map(frameOf).join(''));
  }

  return {
    stream: async (request: FastifyRequest<{ Params: { id: string } }>, reply: FastifyReply) => {
      const id = asJobId(request.params.id);
      const header = request.headers['last-event-id'];
      const after = numericCursor(header === '' ? undefined : (header as string | undefined), 'Last-Event-ID');
      if (await follower.isOver(id, after)) return reply.code(204).send();
      // Whoever left in the meantime, or was told that it takes too long, has had the end of this response: nothing would say it again.
      const hasEnded = reply.sent || reply.raw.destroyed;
      reply.hijack();
      if (hasEnded) return reply;
      const stream = openEventStream(reply.raw, reply.getHeaders(), timing);
      open.add(stream);
      try {
        await tell(stream, id, after);
      } catch (error) {
        // The reader comes again by itself, and finds the store back, or an answer that says what is wrong.
        if (!stream.signal.aborted) log.warn({ job: id, err: error, code: isAppError(error) ? error.code : null }, 'a stream was broken off');
      } finally {
        open.delete(stream);
        stream.end();
      }
      return reply;
    },
    count: () => open.size,
    /** Readers come again, to whoever listens then. */
    close: () => {
      for (const stream of open) stream.end();
    },
  };
}

function frameOf(followed: Followed): string {
  return followed.kind === 'gap' ? frame('gap', { after: followed.after, before: followed.before }, null) : frame(followed.event.type, followed.event, followed.event.id);
}
