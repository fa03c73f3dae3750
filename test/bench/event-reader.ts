// One reader of a job's events, as cheap as a reader can be: the machine that measures is the one that is measured.
import { type ClientRequest, get } from 'node:http';

export interface EventReader {
  /** Ids of all events so far. */
  readonly ids: readonly number[];
  /** The job is over, and the server has said all of it. */
  readonly ended: boolean;
  stop(): void;
}

interface Heard {
  id: number;
  data: Record<string, unknown>;
}

/** Resolves when the server has answered. @param onEvent at once when an event has come */
export function readEvents(url: string, job: string, onEvent: (event: Heard) => void): Promise<EventReader> {
  return new Promise((resolve, reject) => {
    const ids: number[] = [];
    let ended = false;
    let buffer = '';
    const request: ClientRequest = get(`${url}/v1/jobs/${job}/stream`, { agent: false }, (response) => {
      if (response.statusCode !== 200) {
        request.destroy();
        reject(new Error(`a stream was answered with ${response.statusCode}`));
        return;
      }
      response.setEncoding('utf8').on('data', (text: string) => {
        buffer += text;
        for (let end = buffer.indexOf('\n\n'); end >= 0; end = buffer.indexOf('\n\n')) {
          const data = /^data: (.*)$/m.exec(buffer.slice(0, end))?.[1];
          buffer = buffer.slice(end + 2);
          if (data === undefined) continue;
          const event = JSON.parse(data) as Heard;
          ids.push(event.id);
          onEvent(event);
        }
      });
      response.once('end', () => (ended = true));
      response.once('error', () => undefined);
      resolve({
        ids,
        get ended() {
          return ended;
        },
        stop: () => void request.destroy(),
      });
    });
    request.once('error', reject);
  });
}
