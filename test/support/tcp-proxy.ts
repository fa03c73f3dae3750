// A TCP proxy on loopback that can cut what runs through it, hold it back, or let nobody in: a network that fails, as a client
// of whatever stands behind sees it.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** Resets every connection; how many there were. New ones are let in. */
  cut(): number;
  /** From now on not a byte passes, and connections stay open: a network that drops packets. How many are held. */
  stall(): number;
  /** Ends a stall: what was held back arrives now. */
  flow(): void;
  /** From now on connections are reset, old and new. How many were there. */
  refuse(): number;
  accept(): void;
  stop(): Promise<void>;
}

export async function startTcpProxy(upstreamPort: number): Promise<TcpProxy> {
  const pairs = new Set<{ client: Socket; upstream: Socket }>();
  let stalled = false;
  let refusing = false;

  const server = createServer((client) => {
    if (refusing) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(upstreamPort, '127.0.0.1');
    const pair = { client, upstream };
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const [from, to] of [[client, upstream], [upstream, client]] as const) {
      from.on('data', (chunk: Buffer) => {
        if (!to.write(chunk)) from.pause();
      });
      to.on('drain', () => !stalled && from.resume());
      from.on('error', end).on('close', end);
    }
    if (stalled) hold(pair);
  });
  const hold = ({ client, upstream }: { client: Socket; upstream: Socket }): void => {
    client.pause();
    upstream.pause();
  };
  const cut = (): number => {
    const count = pairs.size;
    for (const { client, upstream } of [...pairs]) {
      client.resetAndDestroy();
      upstream.destroy();
    }
    return count;
  };

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    stall: () => {
      stalled = true;
      pairs.forEach(hold);
      return pairs.size;
    },
    flow: () => {
      stalled = false;
      for (const { client, upstream } of pairs) {
        client.resume();
        upstream.resume();
      }
    },
    refuse: () => {
      refusing = true;
      return cut();
    },
    accept: () => {
      refusing = false;
    },
    stop: async () => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
