import { ipmiDevice, type PowerDevice, redfishDevice } from '../../../src/power/index.ts';
import type { LabBmc } from './bmcs.ts';
import { IPMI_CIPHER_SUITE } from './simulators.ts';

const TIMEOUT_MS = 8_000;

/** The BMC as Drover's operator sees it. */
export function powerDeviceOf({ type, address, port, username, password, certificateAuthority }: LabBmc): PowerDevice {
  const credentials = { username, password, timeoutMs: TIMEOUT_MS };
  if (type === 'IPMI') return ipmiDevice({ ...credentials, address, port, cipherSuite: IPMI_CIPHER_SUITE });
  return redfishDevice({
    ...credentials,
    address: `https://${address}:${port}`,
    ...(certificateAuthority !== undefined && { certificateAuthority }),
  });
}
