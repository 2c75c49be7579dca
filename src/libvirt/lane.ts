import { Backoff } from './backoff.ts';
import { type Connection, REQUESTS_MAX } from './connection.ts';
import type { LibvirtTransportError } from './errors.ts';
import type { Reconnect } from './options.ts';
import type { Request } from './request.ts';

export interface LaneOptions {
  /** At most so many connections, opened as they are needed. */
  readonly connections: number;
  readonly reconnect: Reconnect;
  readonly open: () => Promise<Connection>;
}

interface Member {
  readonly connection: Connection;
  /** Requests that someone still waits for. */
  live: number;
  leaving: boolean;
}

/** Connections that share one queue of requests, first come first served. */
export class Lane {
  readonly #options: LaneOptions;
  readonly #backoff: Backoff;
  #members: Member[] = [];
  #leaving = new Set<Member>();
  #waiting: Request[] = [];
  #opening = 0;
  #retry: NodeJS.Timeout | undefined;
  #closed: LibvirtTransportError | null = null;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.reconnect);
  }

  submit(request: Request): void {
    if (this.#closed !== null) {
      request.reject(this.#closed);
      return;
    }
    const free = this.#members.find(({ connection }) => connection.requests < REQUESTS_MAX);
    if (free !== undefined) {
      this.#send(free, request);
      return;
    }
    request.waitingFor = `one of the ${this.#options.connections * REQUESTS_MAX} places for such calls`;
    request.onGivenUp = () => {
      this.#waiting = this.#waiting.filter((other) => other !== request);
    };
    this.#waiting.push(request);
    this.#grow();
  }

  /** The daemon is known to answer again: do not sit out the delay. */
  wake(): void {
    this.#backoff.reset();
    this.#tryAgain();
  }

  close(error: LibvirtTransportError): void {
    this.#closed = error;
    clearTimeout(this.#retry);
    for (const request of this.#waiting.splice(0)) request.reject(error);
    for (const { connection } of [...this.#members, ...this.#leaving])
      connection.close('closed', 'the client was closed');
  }

  #send(member: Member, request: Request): void {
    let givenUp = false;
    const freed = () => {
      if (!givenUp) this.#freed(member);
    };
    request.onGivenUp = () => {
      givenUp = true;
      this.#retire(member);
    };
    member.live++;
    request.sent();
    const { name, procedure } = request;
    const resolve = (reply: unknown) => {
      request.resolve(reply);
      freed();
    };
    const reject = (error: Error) => {
      request.reject(error);
      freed();
    };
    member.connection.send({ name, procedure, resolve, reject }, request.frame);
  }

  #freed(member: Member): void {
    member.live--;
    if (member.leaving) this.#closeIfIdle(member);
    else if (!member.connection.closed) this.#fill(member);
  }

  #fill(member: Member): void {
    while (member.connection.requests < REQUESTS_MAX) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#send(member, next);
    }
  }

  /**
   * Someone gave up on a request that the daemon still works on. Its place stays taken until the daemon answers, perhaps
   * for ever, so the connection takes no more requests, ends with its last live one, and another may be opened instead.
   */
  #retire(member: Member): void {
    if (!member.leaving) {
      member.leaving = true;
      this.#members = this.#members.filter((other) => other !== member);
      this.#leaving.add(member);
    }
    member.live--;
    this.#closeIfIdle(member);
    this.#grow();
  }

  #closeIfIdle(member: Member): void {
    if (member.live <= 0) member.connection.close('closed', 'all its calls have ended');
  }

  /** Opens a connection if one is needed and none has just failed: then it is tried again after the delay, not per call. */
  #grow(): void {
    if (this.#retry !== undefined) return;
    if (this.#closed !== null || this.#waiting.length <= this.#opening * REQUESTS_MAX) return;
    if (this.#members.length + this.#opening >= this.#options.connections) return;
    this.#opening++;
    this.#options.open().then(
      (connection) => this.#opened(connection),
      (error: Error) => this.#notOpened(error),
    );
    this.#grow();
  }

  #opened(connection: Connection): void {
    this.#opening--;
    this.#backoff.reset();
    if (this.#closed !== null) {
      connection.close('closed', 'the client was closed');
      return;
    }
    const member: Member = { connection, live: 0, leaving: false };
    this.#members.push(member);
    connection.listen({ onClose: () => this.#gone(member) });
    if (!connection.closed) this.#fill(member);
  }

  #notOpened(error: Error): void {
    this.#opening--;
    for (const request of this.#waiting) request.waitingFor = `a connection. The last attempt failed: ${error.message}`;
    if (this.#closed !== null || this.#waiting.length === 0) return;
    this.#retry ??= setTimeout(() => this.#tryAgain(), this.#backoff.nextDelayMs());
  }

  #tryAgain(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#grow();
  }

  #gone(member: Member): void {
    this.#leaving.delete(member);
    this.#members = this.#members.filter((other) => other !== member);
    this.#grow();
  }
}
