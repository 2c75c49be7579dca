/**
 * Why a device gave no result.
 * - `Unreachable`: no connection, or it broke; over IPMI also no answer, which UDP cannot tell apart.
 * - `TimedOut`: the device's time limit was over before it had answered.
 * - `Unauthorized`: user or password are wrong, or the user may not do this.
 * - `CertificateNotTrusted`: it could not prove that it is the device; nothing was sent to it.
 * - `NotSupported`: the device, or the kind of device, cannot do this.
 * - `NotFound`: it controls no such machine, or several and none was named.
 * - `Refused`: it understood and said no, or the address is none that may be used.
 * - `UnexpectedAnswer`: it answered something else than such a device does.
 * - `ToolMissing`: the program that talks to it is not installed here.
 */
export type PowerErrorReason =
  | 'Unreachable'
  | 'TimedOut'
  | 'Unauthorized'
  | 'CertificateNotTrusted'
  | 'NotSupported'
  | 'NotFound'
  | 'Refused'
  | 'UnexpectedAnswer'
  | 'ToolMissing';

/** The message names the device by its address, what was asked of it, why it failed and what to do; never a password. */
export class PowerError extends Error {
  readonly reason: PowerErrorReason;

  constructor(reason: PowerErrorReason, message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'PowerError';
    this.reason = reason;
  }
}
