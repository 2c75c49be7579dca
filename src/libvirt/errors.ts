import { ErrorCode, ErrorDomain } from './enums/errors.ts';
import { nameOf } from './enums/nameOf.ts';

export type ErrorCodeName = keyof typeof ErrorCode;

/** What a daemon says about a failed call, as it came. */
export interface DaemonErrorFields {
  readonly code: number;
  readonly domain: number;
  readonly level: number;
  readonly message: string;
}

/** The daemon received the call, tried it and refused or failed: nothing is unclear about the outcome. */
export class LibvirtError extends Error {
  override readonly name = 'LibvirtError';
  /** An ErrorCode. */
  readonly code: number;
  readonly codeName: string;
  /** An ErrorDomain: the part of libvirt that speaks. */
  readonly domain: number;
  readonly domainName: string;
  /** An ErrorLevel. */
  readonly level: number;
  readonly procedure: string;
  /** libvirt's own words, without the procedure and code that `message` puts around them. */
  readonly daemonMessage: string;

  constructor(procedure: string, fields: DaemonErrorFields) {
    const codeName = nameOf(ErrorCode, fields.code);
    super(`${procedure}: ${fields.message} (libvirt ${codeName})`);
    this.code = fields.code;
    this.codeName = codeName;
    this.domain = fields.domain;
    this.domainName = nameOf(ErrorDomain, fields.domain);
    this.level = fields.level;
    this.procedure = procedure;
    this.daemonMessage = fields.message;
  }
}

/** @example if (isLibvirtError(error, 'NO_DOMAIN')) return { ok: false, reason: 'Gone' } */
export function isLibvirtError(error: unknown, ...codes: readonly ErrorCodeName[]): error is LibvirtError {
  if (!(error instanceof LibvirtError)) return false;
  return codes.length === 0 || codes.some((name) => ErrorCode[name] === error.code);
}

/**
 * Why no answer came.
 * - `unreachable`: no connection could be made.
 * - `refused`: the daemon was reached and does not want this client (certificate, authentication, driver).
 * - `lost`: the connection broke. - `protocol`: it was closed because the daemon sent what the protocol forbids.
 * - `timeout`, `aborted`: the caller's limit or signal. - `closed`: the client was closed.
 */
export type TransportFailure = 'unreachable' | 'refused' | 'lost' | 'protocol' | 'timeout' | 'aborted' | 'closed';

/** A call without an answer. */
export class LibvirtTransportError extends Error {
  override readonly name = 'LibvirtTransportError';
  readonly reason: TransportFailure;
  /**
   * False when the request was certainly never sent. True when it was: the daemon may have run it, be running it still,
   * or never have seen it; look at the domain before trying again.
   */
  readonly mayHaveRun: boolean;

  constructor(reason: TransportFailure, message: string, options: { mayHaveRun: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.mayHaveRun = options.mayHaveRun;
  }
}

export function isTransportError(
  error: unknown,
  ...reasons: readonly TransportFailure[]
): error is LibvirtTransportError {
  return error instanceof LibvirtTransportError && (reasons.length === 0 || reasons.includes(error.reason));
}
