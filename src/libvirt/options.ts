import type { Lane } from './procedures/procedure.ts';

/** PEM texts (or their bytes) of the certificate authority, and of the client's certificate and key. */
export interface TlsMaterial {
  readonly ca: string | Buffer;
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** The name the daemon's certificate must carry. Default: the URI's host. */
  readonly servername?: string;
}

export interface Reconnect {
  /** Before the first attempt; doubled for each further one. Default 200 ms. */
  readonly firstDelayMs: number;
  /** Default 10 s. Every delay is drawn from its upper half, so that hosts do not return in step. */
  readonly maxDelayMs: number;
}

export interface Keepalive {
  /** A connection that was silent this long is asked for a sign of life. Default 5 s, as in libvirt. */
  readonly intervalMs: number;
  /** That many unanswered questions in a row, and the daemon counts as dead. Default 5, as in libvirt. */
  readonly missedMax: number;
}

export interface LibvirtOptions {
  /**
   * libvirt's own form: `qemu:///system` (default), `qemu+unix:///system?socket=/path`, `qemu+tcp://host:16509/system`,
   * `qemu+tls://host:16514/system`.
   */
  readonly uri?: string;
  /** Another place for the daemon's socket than /run/libvirt/libvirt-sock; the same as `?socket=` in the URI. */
  readonly socketPath?: string;
  /** Required by `qemu+tls`. */
  readonly tls?: TlsMaterial;
  /** Connections per lane. Each carries at most four unanswered requests. Default `{ call: 3, guest: 1, job: 2 }`. */
  readonly lanes?: Partial<Readonly<Record<Lane, number>>>;
  readonly reconnect?: Partial<Reconnect>;
  readonly keepalive?: Partial<Keepalive>;
  /** For a call that names no limit of its own. Default 30 s; calls of the `job` lane have none unless they name one. */
  readonly defaultTimeoutMs?: number;
  /** Connection changes, one line each. Default: silent. */
  readonly log?: (
    level: 'debug' | 'info' | 'warn',
    message: string,
    details: Readonly<Record<string, unknown>>,
  ) => void;
}

export interface CallOptions {
  /** Gives up the answer, not the work: the daemon knows no cancelling. For a job use `domainAbortJob`. */
  readonly signal?: AbortSignal;
  /** From `call` to the answer, including any wait for a free place or a lost connection. 0 means no limit. */
  readonly timeoutMs?: number;
}
