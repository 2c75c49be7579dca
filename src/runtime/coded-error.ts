import { KubeError } from '../kube/index.ts';
import { type ErrorCode, type ErrorTreatment, errorTable } from './error-table.ts';

export interface CodedErrorOptions {
  cause?: unknown;
  /** Waiting errors only: overrides the table's delay. */
  requeueAfterMs?: number;
}

/** A failure of the coded table. The message says what failed, on which object, why, and what to do next. */
export class CodedError extends Error {
  readonly code: ErrorCode;
  readonly treatment: ErrorTreatment;

  constructor(code: ErrorCode, message: string, options: CodedErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CodedError';
    this.code = code;
    const treatment: ErrorTreatment = errorTable[code];
    this.treatment =
      treatment.class === 'waiting' && options.requeueAfterMs !== undefined
        ? { class: 'waiting', requeueAfterMs: options.requeueAfterMs }
        : treatment;
  }
}

/** Puts any thrown value into the table: a CodedError as it is, a KubeError by its reason, everything else `Internal`. */
export function toCodedError(thrown: unknown): CodedError {
  if (thrown instanceof CodedError) return thrown;
  if (thrown instanceof KubeError) return new CodedError(codeOf(thrown), thrown.message, { cause: thrown });
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new CodedError('Internal', message, { cause: thrown });
}

function codeOf(error: KubeError): ErrorCode {
  if (error.reason === 'LeadershipLost') return 'LeadershipLost';
  if (error.reason === 'Timeout') return 'Timeout';
  if (error.isConflict() || error.isAlreadyExists()) return 'ApiConflict';
  if (error.isNotFound()) return 'ReferenceNotFound';
  if (error.isForbidden() || error.isUnauthorized()) return 'ApiForbidden';
  if (error.isInvalid()) return 'ApiInvalid';
  return 'ApiUnavailable';
}
