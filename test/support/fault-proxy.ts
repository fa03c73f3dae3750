// An HTTP proxy in front of an S3 server that spoils chosen requests, each in a known way, and counts how often it did.

import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Fault =
  /** The server does its work and answers; the client sees its connection reset. */
  | { kind: 'lose-answer' }
  /** The server does its work; the client is told something else. */
  | { kind: 'replace-answer'; status: number; code: string }
  /** The server gets it twice, as from a gateway that tries again; the client sees the second answer. */
  | { kind: 'send-twice' }
  /** The server never hears of it. */
  | { kind: 'answer'; status: number; code: string }
  | { kind: 'answer-xml'; xml: string }
  | { kind: 'reset' }
  /** Nothing is ever said. */
  | { kind: 'black-hole' }
  /** Half of the answer's body arrives, then the connection is reset, closed, or silent. */
  | { kind: 'half-answer'; then: 'reset' | 'close' | 'silence' }
  /** The request reaches the server only when `until` resolves. */
  | { kind: 'hold'; until: Promise<unknown> }
  /** What follows a request of the same path that the server did sooner than so is answered 429, as R2 does with writes. */
  | { kind: 'throttle'; everyMs: number }
  /** The request reaches the server so much later. */
  | { kind: 'delay'; ms: number }
  /** One bit of the answer's body is another; `at` says which, from 0 to 1. An answer without a body stays as it is. */
  | { kind: 'damage'; at: number };

export interface Injected {
  /** How often the fault struck. */
  hits(): number;
  /** Resolves when it strikes for the first time. */
  struck: Promise<void>;
  remove(): void;
}

export interface FaultProxy {
  endpoint: string;
  /** Of all requests since the last call: `GET`, `PUT`, ... */
  takeMethods(): string[];
  /** The same requests' paths, as they were sent; to be taken before the methods are. */
  paths(): string[];
  /** Spoils the next `times` requests of this method (`*`: of any), of those whose path fits if one is given. */
  inject(method: string, fault: Fault, times?: number, path?: RegExp): Injected;
  stop(): Promise<void>;
}

interface Rule {
  method: string;
  path: RegExp | null;
  fault: Fault;
  left: number;
  hits: number;
  strike: () => void;
  /** When the server last did something, by path; of throttles only. */
  done: Map<string, number>;
}

interface Answer {
  status: number;
  headers: string[];
  body: Buffer;
}

export async function startFaultProxy(upstream: string): Promise<FaultProxy> {
  const target = new URL(upstream);
  const rules: Rule[] = [];
  let methods: string[] = [];
  let paths: string[] = [];
  const server = createServer((incoming, outgoing) => {
    void handle(incoming, outgoing).catch(() => incoming.socket.destroy());
  });

  async function handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = await readAll(incoming);
    const method = incoming.method ?? '';
    methods.push(method);
    paths.push(incoming.url ?? '');
    const rule = rules.find((one) => (one.method === method || one.method === '*') && one.left > 0 && one.path?.test(incoming.url ?? '') !== false);
    const forward = (): Promise<Answer> => ask(target, incoming, body);
    if (rule?.fault.kind === 'throttle' && !isTooSoon(rule, rule.fault.everyMs, incoming)) {
      const answer = await forward();
      if (answer.status < 300) rule.done.set(incoming.url ?? '', performance.now());
      return send(outgoing, answer);
    }
    if (rule !== undefined) {
      rule.left -= 1;
      rule.hits += 1;
      rule.strike();
    }
    await apply(rule?.fault ?? null, forward, incoming, outgoing);
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    takeMethods: () => {
      const taken = methods;
      methods = [];
      paths = [];
      return taken;
    },
    paths: () => paths,
    inject: (method, fault, times = 1, path) => {
      let strike: () => void = () => undefined;
      const struck = new Promise<void>((resolve) => (strike = resolve));
      const rule = { method, path: path ?? null, fault, left: times, hits: 0, strike, done: new Map<string, number>() };
      rules.push(rule);
      return { hits: () => rule.hits, struck, remove: () => void (rule.left = 0) };
    },
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function apply(
  fault: Fault | null,
  forward: () => Promise<Answer>,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  switch (fault?.kind) {
    case undefined:
      return send(outgoing, await forward());
    case 'lose-answer':
      await forward();
      incoming.socket.resetAndDestroy();
      return;
    case 'replace-answer':
      await forward();
      return send(outgoing, failure(fault.status, fault.code));
    case 'send-twice':
      await forward();
      return send(outgoing, await forward());
    case 'answer':
      return send(outgoing, failure(fault.status, fault.code));
    case 'answer-xml':
      return send(outgoing, { status: 200, headers: ['content-type', 'application/xml'], body: Buffer.from(fault.xml) });
    case 'reset':
      incoming.socket.resetAndDestroy();
      return;
    case 'throttle':
      return send(outgoing, failure(429, 'TooManyRequests'));
    case 'black-hole':
      return;
    case 'half-answer': {
      const answer = await forward();
      outgoing.writeHead(answer.status, answer.headers);
      outgoing.write(answer.body.subarray(0, answer.body.length / 2));
      if (fault.then === 'silence') return;
      await new Promise((resolve) => setImmediate(resolve)); // so that the half is on its way
      if (fault.then === 'reset') incoming.socket.resetAndDestroy();
      else incoming.socket.end();
      return;
    }
    case 'hold':
      await fault.until;
      return send(outgoing, await forward());
    case 'delay':
      await new Promise((resolve) => setTimeout(resolve, fault.ms));
      return send(outgoing, await forward());
    case 'damage': {
      const answer = await forward();
      const bit = Math.floor(fault.at * answer.body.length * 8);
      if (answer.body.length > 0) answer.body[bit >> 3]! ^= 1 << (bit & 7);
      return send(outgoing, answer);
    }
  }
}

const isTooSoon = ({ done }: Rule, everyMs: number, { url }: IncomingMessage): boolean => performance.now() - (done.get(url ?? '') ?? -Infinity) < everyMs;

async function readAll(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** With the headers as they came: they are signed. */
async function ask(target: URL, incoming: IncomingMessage, body: Buffer): Promise<Answer> {
  const outgoing = request({
    host: target.hostname,
    port: target.port,
    method: incoming.method,
    path: incoming.url,
    headers: incoming.rawHeaders,
    agent: false,
  });
  outgoing.end(body);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, headers: response.rawHeaders, body: await readAll(response) };
}

function send(outgoing: ServerResponse, { status, headers, body }: Answer): void {
  outgoing.writeHead(status, headers).end(body);
}

function failure(status: number, code: string): Answer {
  const xml = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>made up by a test</Message></Error>`;
  return { status, headers: ['content-type', 'application/xml'], body: Buffer.from(xml) };
}
