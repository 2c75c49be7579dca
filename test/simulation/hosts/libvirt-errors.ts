import { ErrorCode, type ErrorCodeName, ErrorDomain, LibvirtError } from '../../../src/libvirt/index.ts';

/** An error of the daemon, in its words. */
export function refusal(procedure: string, code: ErrorCodeName, message: string): LibvirtError {
  return new LibvirtError(procedure, { code: ErrorCode[code], domain: ErrorDomain.QEMU, level: 2, message });
}

export function noDomain(procedure: string, uuid: string): LibvirtError {
  return refusal(procedure, 'NO_DOMAIN', `Domain not found: no domain with matching uuid '${uuid}'`);
}
