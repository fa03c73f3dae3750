// Connections that bring no request, at a real server: answered in the one form of errors, and then closed whatever the other side does.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { answerClientError } from '../../../api/client-errors.js';

it.each([
  ['is no HTTP', 'nonsense\r\n\r\n', 400, 'this is not HTTP'],
  ['does not come to its end in time', 'GET / HTTP/1.1\r\nhost: x\r\n', 408, 'the request did not come in time'],
  ['has too large headers', `GET / HTTP/1.1\r\nhost: x\r\nx-long: ${'x'.repeat(40_000)}`, 431, 'the headers are too large'],
])('what %s is answered and closed, although the other side stays open', async (_what, sent, status, message) => {
  const server = createServer({ connectionsCheckingInterval: 20, headersTimeout: 200, requestTimeout: 200 }, () => undefined);
  server.on('clientError', answerClientError);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  onTestFinished(() => {
    client.destroy();
    server.close();
  });
  let said = '';
  client.on('data', (bytes) => (said += bytes.toString())).on('error', () => undefined);
  const ended = once(client, 'end');
  client.write(sent);
  const [served] = await accepted;
  if (!served.closed) await once(served, 'close');
  await ended;
  const [head, body] = said.split('\r\n\r\n') as [string, string];
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(JSON.parse(body).error).toMatchObject({ code: 'invalid_request', message, request_id: expect.stringMatching(/^req_/) as string });
});
