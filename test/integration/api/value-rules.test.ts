import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pathText, placeOf, withValue } from '../../builders/field-path.ts';
import { sharedClient } from '../control-plane.ts';
import { installCrds } from './install-crds.ts';
import { placedRules } from './rules-of.ts';
import { verdictOnCreate } from './verdict.ts';

const client = sharedClient();
beforeAll(() => installCrds(client));
afterAll(() => client.close());

interface Samples {
  /** What the rule's message says, or its beginning. */
  readonly message: string;
  readonly refused: readonly unknown[];
  readonly accepted: readonly unknown[];
}

/** One row per rule that judges a single value; it is tried in every field that has the rule. */
const RULES: readonly Samples[] = [
  {
    message: 'is no name of an object',
    refused: ['', 'Web', 'my_disk', '-a', 'a-', '.a', 'a/b', 'a b', 'ä', 'a\n'],
    accepted: ['a', '0', 'a-b.c', 'a'.repeat(253)],
  },
  {
    message: 'is no usable name',
    refused: ['', 'Root', 'a.b', 'a_b', '-a', 'a-', '<disk/>', 'a\n'],
    accepted: ['root', '0', 'a-b', 'a'.repeat(40)],
  },
  {
    message: 'is no MAC address',
    refused: ['', '52:54:00:AB:12:34', '52-54-00-12-34-56', '52:54:00:12:34', '525400123456', 'g2:54:00:12:34:56'],
    accepted: ['52:54:00:12:34:56', '00:00:00:00:00:00', 'fe:ff:ff:ff:ff:ff'],
  },
  {
    message: 'is a multicast address',
    refused: ['53:54:00:12:34:56', '01:00:5e:00:00:01', 'ff:ff:ff:ff:ff:ff'],
    accepted: ['52:54:00:12:34:56', 'aa:bb:cc:dd:ee:ff'],
  },
  {
    message: 'is no path below a directory',
    refused: ['', '/etc/shadow', '../secret', 'a/../b', './a', 'a//b', 'a/', '.hidden', 'a/.b', 'a b', 'a\n'],
    accepted: ['debian.qcow2', 'debian/12.qcow2', 'a/b/c', '_a'],
  },
  {
    message: 'is too little: libvirt counts in MiB/s',
    refused: ['1023Ki', 1048575, '0', '-1Gi'],
    accepted: ['1Mi', 1048576, '10Gi'],
  },
  {
    message: 'is no address: write a host name',
    refused: ['', 'https://bmc', 'bmc:443', 'a b', '-a', 'fe80::1', 'bmc/redfish'],
    accepted: ['bmc-1', 'bmc.example.org', '192.0.2.21', '[2001:db8::1]'],
  },
  {
    message: 'is no Id of a system',
    refused: ['', 'a/b', 'a b', '../1'],
    accepted: ['1', 'System.Embedded.1', '437XR1138R2'],
  },
  {
    message: 'is no label value',
    refused: ['-a', 'a-', 'a b', 'a/b', 'ä'],
    accepted: ['', 'a', 'A.b_c-1', 'a'.repeat(63)],
  },
  {
    message: 'is no machine type',
    refused: ['', 'i440fx', 'Q35', 'q35-7.2', 'virt', "q35'/>", 'pc-q35', 'none'],
    accepted: ['q35', 'pc', 'pc-q35-7.2', 'pc-i440fx-7.2', 'pc-q35-rhel9.2.0'],
  },
  {
    message: 'is no usable absolute path',
    refused: ['', 'srv/vms', '/', '/srv/', '/srv//vms', '/srv/../etc', '/srv/.vms', '/srv/a b', '/srv\n'],
    accepted: ['/srv', '/srv/vms', '/var/lib/drover/datastores/shared', '/srv/a_b.c-d'],
  },
  {
    message: 'is no name of a network interface',
    refused: ['', '..', '.eth0', 'eth0:1', 'a/b', 'eth 0', '-eth0'],
    accepted: ['eth1', 'enp3s0', 'bond0.42', 'a'.repeat(15)],
  },
  {
    message: 'is no UUID',
    refused: ['', '4F1C2D3E-5B6A-4789-8ABC-0123456789AB', '4f1c2d3e5b6a47898abc0123456789ab', 'g'.repeat(36)],
    accepted: ['4f1c2d3e-5b6a-4789-8abc-0123456789ab'],
  },
  {
    message: 'is no quantity',
    refused: ['', '2GB', '2 Gi', 'two', '2g', '0x10', '1Gi1', '1e', '--1'],
    accepted: ['2Gi', '1.5Gi', '2147483648', 2147483648, '2G', '2e9', '2E9', '2147483648000m'],
  },
  {
    message: 'is too little memory',
    refused: ['2', 2, 0, -1, '-4Gi', '15Mi', '500m'],
    accepted: ['16Mi', 16777216, '1Gi'],
  },
  { message: 'is too much memory', refused: ['17Ti', '1E'], accepted: ['16Ti'] },
  { message: 'is too small', refused: ['20', 20, '1023Ki', '-1Gi', 0], accepted: ['1Mi', '1024Ki', 1048576] },
  { message: 'is too big', refused: ['65Ti', '1Ei'], accepted: ['64Ti'] },
  { message: 'cannot be negative', refused: ['-1', -1, '-500m'], accepted: ['0', 0, '500m'] },
];

const rules = placedRules().filter(({ scalar, transition }) => scalar && !transition);

describe('rules about a single value', () => {
  it('has a row for every rule, and a rule for every row', () => {
    const withoutRow = rules.filter(({ message }) => !RULES.some((row) => message.startsWith(row.message)));
    expect(withoutRow).toEqual([]);
    expect(RULES.filter((row) => !rules.some(({ message }) => message.startsWith(row.message)))).toEqual([]);
  });

  const places = rules.flatMap((rule) =>
    RULES.filter((row) => rule.message.startsWith(row.message)).map((row) => ({ ...row, ...rule })),
  );

  it.each(places)('$kind $at $message', async ({ kind, at, message, refused, accepted }) => {
    const place = placeOf(kind, at);
    const words = { field: pathText(place.path), message: expect.stringContaining(message) };
    for (const value of refused) {
      const verdict = await verdictOnCreate(client, withValue(place, value));
      expect(verdict, `${JSON.stringify(value)} must be refused`).toContainEqual(words);
    }
    for (const value of accepted) {
      const verdict = await verdictOnCreate(client, withValue(place, value));
      expect(verdict, `${JSON.stringify(value)} must be accepted`).not.toContainEqual(words);
    }
  });
});
