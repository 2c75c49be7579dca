import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';

/** `ok`, or why not: the answer of a health endpoint. */
export type Health = { ok: true } | { ok: false; why: string };

export interface EndpointsOptions {
  host: string;
  /** 0 picks a free one. */
  port: number;
  registry: Registry;
  /** The process should be restarted when it is not alive. */
  alive: () => Health;
  /** The process should get no work when it is not ready. */
  ready: () => Health;
}

/** Serves /healthz, /readyz and /metrics over plain HTTP, for the kubelet's probes and Prometheus. */
export class Endpoints {
  readonly #options: EndpointsOptions;
  readonly #server: Server;

  constructor(options: EndpointsOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        response.writeHead(500).end(`${error instanceof Error ? error.message : String(error)}\n`);
      });
    });
  }

  /** @throws when the address is in use. */
  async listen(): Promise<{ host: string; port: number }> {
    const { host, port } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject).listen(port, host, resolve);
    await promise;
    const address = this.#server.address();
    return { host, port: typeof address === 'object' && address ? address.port : port };
  }

  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { registry, alive, ready } = this.#options;
    const [path] = (request.url ?? '').split('?');
    switch (path) {
      case '/healthz':
        return answerHealth(response, alive());
      case '/readyz':
        return answerHealth(response, ready());
      case '/metrics':
        response.writeHead(200, { 'content-type': registry.contentType }).end(await registry.metrics());
        return;
      default:
        response.writeHead(404).end('There are /healthz, /readyz and /metrics.\n');
    }
  }
}

function answerHealth(response: ServerResponse, health: Health): void {
  response.writeHead(health.ok ? 200 : 503).end(health.ok ? 'ok\n' : `${health.why}\n`);
}
