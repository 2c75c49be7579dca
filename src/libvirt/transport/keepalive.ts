import type { Keepalive } from '../options.ts';
import { frameOf } from '../wire/encode.ts';
import { type Header, MessageStatus, MessageType } from '../wire/message.ts';

/** src/rpc/virkeepaliveprotocol.x: the program's number is "keep" in ASCII. */
export const KEEPALIVE_PROGRAM = 0x6b65_6570;
const PING = 1;
const PONG = 2;

function keepaliveFrame(procedure: number): Buffer {
  return frameOf(
    {
      program: KEEPALIVE_PROGRAM,
      version: 1,
      procedure,
      type: MessageType.EVENT,
      serial: 0,
      status: MessageStatus.OK,
    },
    new Uint8Array(),
  );
}

const PING_FRAME = keepaliveFrame(PING);
const PONG_FRAME = keepaliveFrame(PONG);

/** The answer that a keepalive message asks for: a daemon drops clients that leave its pings unanswered. */
export function pongFrame(header: Header): Buffer | null {
  return header.procedure === PING ? PONG_FRAME : null;
}

interface KeepaliveActions {
  ping(frame: Buffer): void;
  dead(silentMs: number): void;
}

/**
 * Notices a peer that is gone without a word. Anything received counts as a sign of life, so the clock only ticks and
 * never measures time per message.
 */
export class KeepaliveClock {
  readonly #options: Keepalive;
  readonly #actions: KeepaliveActions;
  readonly #timer: NodeJS.Timeout;
  #heard = true;
  #missed = 0;

  /**
   * While we do not read on purpose, the daemon's pings wait unread behind its data: we ping it unasked then, which it
   * takes as a sign of life too, and expect nothing.
   */
  paused = false;

  constructor(options: Keepalive, actions: KeepaliveActions) {
    this.#options = options;
    this.#actions = actions;
    this.#timer = setInterval(() => this.#tick(), options.intervalMs).unref();
  }

  heard(): void {
    this.#heard = true;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    if (this.paused) {
      this.#actions.ping(PING_FRAME);
      return;
    }
    if (this.#heard) {
      this.#heard = false;
      this.#missed = 0;
      return;
    }
    if (this.#missed >= this.#options.missedMax) {
      this.#actions.dead((this.#missed + 1) * this.#options.intervalMs);
      return;
    }
    this.#missed++;
    this.#actions.ping(PING_FRAME);
  }
}
