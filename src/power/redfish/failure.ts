import type { PowerErrorReason } from '../error.ts';

/** Why did a request fail before an answer was there? */
export interface ConnectionFailure {
  reason: PowerErrorReason;
  /** In our words, with what to do. */
  why: string;
}

/** OpenSSL's results of a verification, as Node names them (tls, X509 certificate error codes). */
const CERTIFICATE_CODES =
  /^(?:CERT_|CRL_|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED_CERT|UNABLE_TO_(?:GET|VERIFY|DECODE|DECRYPT)|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH|HOSTNAME_MISMATCH|ERROR_IN_CERT|ERR_TLS_CERT_ALTNAME)/;

export function connectionFailureOf(error: unknown): ConnectionFailure {
  const code = codeOf(error);
  const said = error instanceof Error ? error.message : String(error);
  if (CERTIFICATE_CODES.test(code)) {
    return {
      reason: 'CertificateNotTrusted',
      why: `its certificate is not trusted: ${said} (${code}). Give the certificate of the authority that issued it, and use a name that stands in it`,
    };
  }
  if (code === 'UND_ERR_CONNECT_TIMEOUT') {
    return { reason: 'TimedOut', why: 'no connection within the time limit. Check the address and the cable' };
  }
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') {
    return { reason: 'UnexpectedAnswer', why: 'its answer is larger than any of Redfish' };
  }
  if (code.startsWith('HPE_') || code === 'EPROTO' || /^ERR_(?:SSL|TLS|OSSL)/.test(code)) {
    return {
      reason: 'UnexpectedAnswer',
      why: `it does not speak HTTPS as we do: ${said} (${code}). Check the port`,
    };
  }
  return {
    reason: 'Unreachable',
    why: `it cannot be reached: ${said}. Check the address, the cable, and that the BMC runs`,
  };
}

/** Of the error, or of what caused it. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return codeOf(error.cause);
}
