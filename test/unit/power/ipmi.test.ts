import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { failureOf, stateOf, systemGuidOf } from '../../../src/power/ipmi/answers.ts';
import { systemUuidOf } from '../../../src/power/ipmi/guid.ts';

/** A UUID, and its bytes in the three orders in which BMCs send them. */
const UUID = '6ba7b810-9dad-41d1-80b4-00c04fd430c8';
const AS_RFC4122 = '6ba7b8109dad41d180b400c04fd430c8';
const AS_SMBIOS = '10b8a76bad9dd14180b400c04fd430c8';
const AS_IPMI = 'c830d44fc000b480d141ad9d10b8a76b';

describe('the GUID', () => {
  it.each([AS_RFC4122, AS_SMBIOS, AS_IPMI])('is read from %s', (hex) => {
    expect(systemUuidOf(Buffer.from(hex, 'hex'))).toBe(UUID);
  });

  it.each([
    ['one that is by the book in two orders, as all of Dell are', '4c4c4544004335108052b4c04f4d3132'],
    ['one that is by the book in none', '000000000000000000000cc47a123456'],
    ['one that was never set', '00000000000000000000000000000000'],
    ['half a GUID', '0102030405060708'],
  ])('is left out: %s', (_name, hex) => {
    expect(systemUuidOf(Buffer.from(hex, 'hex'))).toBeUndefined();
  });

  it('is the right one or none for every UUID by the book, in every order', () => {
    const orders = [(bytes: Buffer) => bytes, smbiosOrder, (bytes: Buffer) => Buffer.from(bytes).reverse()];
    fc.assert(
      fc.property(fc.uuid(), fc.constantFrom(...orders), (uuid, order) => {
        const read = systemUuidOf(order(Buffer.from(uuid.replaceAll('-', ''), 'hex')));
        expect([uuid, undefined]).toContain(read);
      }),
    );
  });

  it('stands in what ipmitool prints', () => {
    expect(systemGuidOf(`System GUID   : ${AS_SMBIOS.toUpperCase()}\n`)).toBe(UUID);
    expect(systemGuidOf('Get GUID command failed: Invalid command\n')).toBeUndefined();
  });
});

describe('what ipmitool prints', () => {
  it.each([
    ['Chassis Power is on\n', 'On'],
    ['Chassis Power is off\n', 'Off'],
    ['Chassis Power is offline\n', undefined],
    ['', undefined],
  ])('%j is the state %s', (stdout, state) => {
    expect(stateOf(stdout)).toBe(state);
  });

  const END = '\nError: Unable to establish IPMI v2 / RMCP+ session\n';
  it.each([
    [`> RAKP 2 HMAC is invalid${END}`, 'Unauthorized'],
    [`RAKP 2 message indicates an error : unauthorized name${END}`, 'Unauthorized'],
    [`RAKP 2 message indicates an error : unauthorized role or privilege level requested${END}`, 'Unauthorized'],
    ['lanplus: password is longer than 20 bytes.\n', 'Unauthorized'],
    ['Set Chassis Power Control to Down/Off failed: Insufficient privilege level\n', 'Unauthorized'],
    [`Error in open session response message : invalid authentication algorithm${END}`, 'NotSupported'],
    [`Error in open session response message : insufficient resources for session${END}`, 'Refused'],
    ['Set Chassis Power Control to Down/Off failed: Command not supported in present state\n', 'Refused'],
    ['Set Chassis Power Control to Up/On failed: Invalid command\n', 'NotSupported'],
    [`Get Auth Capabilities error\nError issuing Get Channel Authentication Capabilities request${END}`, 'Unreachable'],
    [`Address lookup for bmc.example failed\nCould not open socket!${END}`, 'Unreachable'],
    ['Segmentation fault\n', 'UnexpectedAnswer'],
    ['', 'UnexpectedAnswer'],
  ])('%j means %s', (stderr, reason) => {
    expect(failureOf(stderr).reason).toBe(reason);
  });

  it('is not mistaken where -v reports what was only tried', () => {
    const tried =
      'Get HPM.x Capabilities request failed, compcode = d4\nInvalid completion code received: Insufficient privilege level\n';
    expect(failureOf(tried).reason).toBe('UnexpectedAnswer');
  });
});

function smbiosOrder(bytes: Buffer): Buffer {
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  return Buffer.from(order.map((index) => bytes.readUInt8(index)));
}
