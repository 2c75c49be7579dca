import type { PowerState } from '../device.ts';
import type { PowerErrorReason } from '../error.ts';
import { systemUuidOf } from './guid.ts';

/** What does ipmitool print, and what does it mean? Texts are those of ipmitool 1.8.18 and 1.8.19. */

/** What `chassis power status` printed. Undefined: not the state. */
export function stateOf(stdout: string): PowerState | undefined {
  const power = /^Chassis Power is (on|off)\s*$/m.exec(stdout)?.[1];
  if (power === undefined) return undefined;
  return power === 'on' ? 'On' : 'Off';
}

/** What `mc guid dump` printed. Undefined: no UUID, or not surely one. */
export function systemGuidOf(stdout: string): string | undefined {
  const guid = /^System GUID\s*:\s*([0-9a-f]{32})\s*$/im.exec(stdout)?.[1];
  return guid === undefined ? undefined : systemUuidOf(Buffer.from(guid, 'hex'));
}

export interface IpmiFailure {
  reason: PowerErrorReason;
  /** In our words, with what to do. */
  why: string;
}

/** Printed on success, too, because of -v: says nothing about a failure. */
const NOISE =
  /^(?:Loading IANA|Get HPM\.x Capabilities|Running Get (?:VSO|PICMG)|Invalid completion code received|Discovered |Unable to Get Channel Cipher Suites)/;

/** First match wins: the last line is printed after most of the others. */
const FAILURES: readonly (IpmiFailure & { said: RegExp })[] = [
  {
    said: /RAKP [24] HMAC is invalid|Integrity check value is invalid/i,
    reason: 'Unauthorized',
    why: 'the password is wrong. Correct it in the Secret',
  },
  {
    said: /unauthorized name/i,
    reason: 'Unauthorized',
    why: 'it has no such user, or not for IPMI over LAN. Correct the name in the Secret, or allow the user in the BMC',
  },
  {
    said: /unauthorized role|invalid role|requested privilege level exceeds|failed: Insufficient privilege level/i,
    reason: 'Unauthorized',
    why: 'the user lacks the privilege Operator. Give it to the user in the BMC',
  },
  {
    said: /password is longer than|username is longer than/i,
    reason: 'Unauthorized',
    why: 'IPMI takes passwords of at most 20 bytes and users of at most 16. Choose shorter ones in the BMC',
  },
  {
    said: /invalid (?:authentication|integrity|confidentiality) algorithm|no matching cipher suite|no cipher suite match|Unsupported cipher suite/i,
    reason: 'NotSupported',
    why: 'it does not accept the cipher suite. Set another one: 3 and 17 are usual',
  },
  {
    said: /insufficient resources/i,
    reason: 'Refused',
    why: 'it has no session left. It closes forgotten ones by itself after a minute',
  },
  {
    said: /Address lookup for .* failed/i,
    reason: 'Unreachable',
    why: 'its name does not resolve. Check the address and the DNS',
  },
  {
    said: /failed: (?:Invalid command|Command (?:disabled|illegal))/i,
    reason: 'NotSupported',
    why: 'it knows no such command',
  },
  { said: /^(?:Set|Get|Unable to set|Unable to get) Chassis Power .*/im, reason: 'Refused', why: 'it refused' },
  {
    said: /Error loading interface|Interface lanplus not|is not a supported interface/i,
    reason: 'ToolMissing',
    why: 'this ipmitool is built without "lanplus". Install the one of the distribution',
  },
  {
    said: /Unable to establish (?:IPMI v2|LAN)|Get Auth Capabilities error|Could not open socket|No response/i,
    reason: 'Unreachable',
    why: 'it does not answer. Check the address, the cable, and that IPMI over LAN is on',
  },
];

/** What ipmitool printed about a failure, without what it prints anyway. */
export function withoutNoise(stderr: string): string {
  return stderr
    .split('\n')
    .filter((line) => line.trim() !== '' && !NOISE.test(line))
    .join('\n');
}

/** Why it failed, from what it printed. */
export function failureOf(stderr: string): IpmiFailure {
  const said = withoutNoise(stderr);
  const known = FAILURES.find((each) => each.said.test(said));
  return known ?? { reason: 'UnexpectedAnswer', why: 'it failed in a way that Drover does not know' };
}
