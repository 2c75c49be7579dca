import { connect, createServer, type Server, type Socket } from 'node:net';
import { type KubeClientOptions, loadConfig } from '../../../src/kube/index.ts';

/** A TCP line between a client and the API server that can be cut, healed and made silent. TLS passes through it. */
export class Line {
  readonly #server: Server;
  readonly #target: { host: string; port: number };
  readonly #sockets = new Set<Socket>();
  #isCut = false;
  #isSilent = false;

  constructor(target: { host: string; port: number }) {
    this.#target = target;
    this.#server = createServer((near) => this.#join(near));
  }

  async listen(): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.listen(0, '127.0.0.1', resolve);
    await promise;
    const address = this.#server.address();
    if (typeof address !== 'object' || !address) throw new Error('a TCP server has a port');
    return address.port;
  }

  /** Resets what is connected and refuses what comes. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  heal(): void {
    this.#isCut = false;
  }

  /** Nothing arrives any more, in either direction, and nobody is told: a dead switch. Buffers fill up. */
  silence(): void {
    this.#isSilent = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** What was under way arrives after all. */
  speak(): void {
    this.#isSilent = false;
    for (const socket of this.#sockets) socket.resume();
  }

  async close(): Promise<void> {
    this.cut();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    await promise;
  }

  #join(near: Socket): void {
    if (this.#isCut) {
      near.resetAndDestroy();
      return;
    }
    const far = connect(this.#target.port, this.#target.host);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.on('data', (chunk) => {
        // Backpressure passes through: a client that does not read makes the server's buffers fill up.
        if (!to.write(chunk)) from.pause();
      });
      to.on('drain', () => {
        if (!this.#isSilent) from.resume();
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.end();
      });
      if (this.#isSilent) from.pause();
    }
  }
}

/** Options of a client whose calls all go over the line. */
export async function overLine(kubeconfigPath: string): Promise<{ line: Line; options: KubeClientOptions }> {
  const connection = loadConfig({ kubeconfigPath });
  const { hostname, port } = new URL(connection.server);
  const line = new Line({ host: hostname, port: Number(port) });
  const server = `https://127.0.0.1:${await line.listen()}`;
  return { line, options: { connection: { ...connection, server }, userAgent: 'drover-line-test' } };
}
