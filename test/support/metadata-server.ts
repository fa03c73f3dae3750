// A cloud's metadata service on loopback, which answers as a test tells it to, and remembers what it was asked.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  method: string;
  /** With its query. */
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
}

/** `hang`: no answer at all. `cut`: the connection is destroyed. */
export type Reply = { status?: number; headers?: Record<string, string>; text?: string } | 'hang' | 'cut';

export interface MetadataServer {
  url: string;
  asked: Asked[];
  /** What is answered from now on. */
  answer(reply: (asked: Asked) => Reply | Promise<Reply>): void;
  stop(): Promise<void>;
}

export async function startMetadataServer(first: (asked: Asked) => Reply | Promise<Reply>): Promise<MetadataServer> {
  let reply = first;
  const asked: Asked[] = [];
  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += String(chunk);
    const one: Asked = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body };
    asked.push(one);
    const said = await reply(one);
    if (said === 'hang') return;
    if (said === 'cut') {
      request.socket.destroy();
      return;
    }
    response.writeHead(said.status ?? 200, said.headers ?? {}).end(said.text ?? '');
  }
  const server = createServer((request, response) => void handle(request, response).catch(() => response.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    answer: (next) => {
      reply = next;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
