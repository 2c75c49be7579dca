import { PowerError } from '../error.ts';

/**
 * Origin of the service, from `https://bmc.example`, `bmc.example`, `10.0.0.5:8443` or `[fd00::5]`. A path is not part of it:
 * Redfish has its root at a fixed one.
 * @throws PowerError when it is no such address, or one without encryption: the password would be readable on the way.
 */
export function originOf(address: string): string {
  const text = address.includes('://') ? address : `https://${address}`;
  const url = URL.parse(text);
  if (url === null || url.hostname === '') {
    throw new PowerError(
      'Refused',
      `"${address}" is no address of a Redfish service. Write it as https://name-or-address[:port].`,
    );
  }
  if (url.username !== '' || url.password !== '') {
    throw new PowerError('Refused', `The address of ${url.host} holds a user or a password. Put them into the Secret.`);
  }
  if (url.protocol !== 'https:') {
    throw new PowerError('Refused', `${url.origin} is not encrypted, and the password would be sent there. Use https.`);
  }
  return url.origin;
}
