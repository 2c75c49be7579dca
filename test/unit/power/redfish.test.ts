import { describe, expect, it } from 'vitest';
import { PowerError } from '../../../src/power/index.ts';
import { originOf } from '../../../src/power/redfish/address.ts';
import { errorTextOf, powerStateOf, systemUuidOf } from '../../../src/power/redfish/answers.ts';
import { connectionFailureOf } from '../../../src/power/redfish/failure.ts';

describe('the address', () => {
  it.each([
    ['bmc.example', 'https://bmc.example'],
    ['10.0.0.5:8443', 'https://10.0.0.5:8443'],
    ['[fd00::5]:8443', 'https://[fd00::5]:8443'],
    ['https://bmc.example:443/', 'https://bmc.example'],
    ['https://bmc.example/redfish/v1', 'https://bmc.example'],
  ])('%s is %s', (address, origin) => {
    expect(originOf(address)).toBe(origin);
  });

  it.each([
    ['http://bmc.example', 'not encrypted'],
    ['', 'no address of a Redfish service'],
    ['bmc example', 'no address of a Redfish service'],
    ['https://root:s3cret@bmc.example', 'holds a user or a password'],
  ])('%j is refused', (address, says) => {
    const read = () => originOf(address);
    expect(read).toThrow(PowerError);
    expect(read).toThrow(says);
    expect(read).not.toThrow('s3cret');
  });
});

describe('an answer', () => {
  it.each([
    ['On', 'On'],
    ['Off', 'Off'],
    ['PoweringOn', 'On'],
    ['PoweringOff', 'On'],
    ['Paused', 'On'],
    ['off', undefined],
    ['constructor', undefined],
  ])('PowerState %s counts as %s', (told, state) => {
    expect(powerStateOf(told)).toBe(state);
  });

  it.each([
    ['4C4C4544-0043-3510-8052-B4C04F4D3132', '4c4c4544-0043-3510-8052-b4c04f4d3132'],
    ['00000000-0000-0000-0000-000000000000', undefined],
    ['FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF', undefined],
    ['Not Specified', undefined],
    [null, undefined],
  ])('UUID %s is read as %s', (told, uuid) => {
    expect(systemUuidOf(told)).toBe(uuid);
  });

  it('of an error tells its detailed messages', () => {
    const detailed = {
      error: { message: 'See @Message.ExtendedInfo', '@Message.ExtendedInfo': [{ Message: 'It is off.' }] },
    };
    expect(errorTextOf(JSON.stringify(detailed))).toBe('It is off.');
    expect(errorTextOf(JSON.stringify({ error: { message: 'Busy' } }))).toBe('Busy');
    expect(errorTextOf('<html>')).toBe('<html>');
  });
});

describe('a failed request', () => {
  it.each([
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'CertificateNotTrusted'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'CertificateNotTrusted'],
    ['CERT_HAS_EXPIRED', 'CertificateNotTrusted'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'UnexpectedAnswer'],
    ['UND_ERR_CONNECT_TIMEOUT', 'TimedOut'],
    ['ECONNREFUSED', 'Unreachable'],
    ['ENOTFOUND', 'Unreachable'],
    ['UND_ERR_SOCKET', 'Unreachable'],
  ])('with %s is %s', (code, reason) => {
    const error = Object.assign(new Error('said'), { code });
    expect(connectionFailureOf(error).reason).toBe(reason);
    expect(connectionFailureOf(new Error('fetch failed', { cause: error })).reason).toBe(reason);
  });
});
