import type { ErrorCode, ErrorTreatment } from './error-table.ts';

export interface CodedErrorOptions {
  cause?: unknown;
  /** Waiting errors only: overrides the table's delay. */
  requeueAfterMs?: number;
}

/** A failure of the coded table. The message says what failed, on which object, why, and what to do next. */
export declare class CodedError extends Error {
  readonly code: ErrorCode;
  readonly treatment: ErrorTreatment;
  constructor(code: ErrorCode, message: string, options?: CodedErrorOptions);
}

/** Puts any thrown value into the table: a CodedError as it is, a KubeError by its reason, everything else `Internal`. */
export declare function toCodedError(thrown: unknown): CodedError;
