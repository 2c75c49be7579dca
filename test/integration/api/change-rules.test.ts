import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { COMPLETE_OBJECTS } from '../../builders/complete-objects.ts';
import { type Place, pathText, withValue } from '../../builders/field-path.ts';
import { sharedClient } from '../control-plane.ts';
import { installCrds } from './install-crds.ts';
import { placedRules } from './rules-of.ts';
import { type AnyObject, kindNamed, verdictOnReplace, verdictOnStatus } from './verdict.ts';

const client = sharedClient();
beforeAll(() => installCrds(client));
afterAll(() => client.close());

type Path = Place['path'];

interface Row {
  readonly kind: string;
  /** Which of the kind's complete objects is changed. Absent: the first. */
  readonly complete?: number;
  readonly path: Path;
  readonly from: unknown;
  /** Values that the field cannot be given; `undefined` removes it. */
  readonly refused: readonly unknown[];
  readonly accepted: readonly unknown[];
  /** The field that the answer names. Absent: the changed one. */
  readonly field?: string;
  readonly message: string;
}

const TEMPLATE: Path = ['spec', 'disks', 0, 'volumeTemplate'];
const TEMPLATE_FIXED =
  'cannot be changed: the Volume was made from it; to grow the disk, change the size of its Volume';
const WHOLE = { field: 'spec' };

/** One row per rule about what may become of an object. */
const ROWS: readonly Row[] = [
  {
    kind: 'Volume',
    path: ['spec', 'size'],
    from: '2Gi',
    refused: ['1Gi', '2047Mi', 1073741824, '1.9Gi', 2147483647],
    accepted: ['3Gi', '2Gi'],
    message: 'can only grow, since shrinking would cut off data',
  },
  {
    kind: 'Volume',
    path: ['spec', 'size'],
    from: 2147483648,
    refused: ['2047Mi', 2147483647, '2147483647'],
    accepted: ['2Gi', 2147483648, '2147483648', 2147483649, '2.5Gi', '3G'],
    message: 'can only grow, since shrinking would cut off data',
  },
  {
    kind: 'Volume',
    path: ['spec', 'size'],
    from: '2Gi',
    refused: [undefined],
    accepted: ['2048Mi'],
    message: 'cannot be removed once set: a Volume only grows',
  },
  {
    kind: 'Volume',
    path: ['spec', 'datastoreName'],
    from: 'shared',
    refused: ['other'],
    accepted: ['shared'],
    message: 'cannot be changed: the data lies on that Datastore',
  },
  {
    kind: 'Volume',
    path: ['spec', 'provisioning'],
    from: 'Thin',
    refused: ['ThickEagerZeroed'],
    accepted: ['Thin', undefined],
    message: 'cannot be changed: the data is laid out by it',
  },
  {
    kind: 'Volume',
    path: ['spec', 'source'],
    from: { imageName: 'debian' },
    refused: [{ imageName: 'other' }, {}, undefined],
    accepted: [{ imageName: 'debian' }],
    message: 'cannot be changed: the data was copied from it',
  },
  {
    kind: 'VirtualMachine',
    path: [...TEMPLATE, 'size'],
    from: '2Gi',
    refused: ['1Gi', '3Gi', undefined],
    accepted: ['2Gi'],
    field: pathText(TEMPLATE),
    message: TEMPLATE_FIXED,
  },
  {
    kind: 'VirtualMachine',
    path: [...TEMPLATE, 'datastoreName'],
    from: 'shared',
    refused: ['other'],
    accepted: ['shared'],
    field: pathText(TEMPLATE),
    message: TEMPLATE_FIXED,
  },
  {
    kind: 'VirtualMachine',
    path: [...TEMPLATE, 'provisioning'],
    from: 'Thin',
    refused: ['ThickLazyZeroed'],
    accepted: ['Thin', undefined],
    field: pathText(TEMPLATE),
    message: TEMPLATE_FIXED,
  },
  {
    kind: 'VirtualMachine',
    path: [...TEMPLATE, 'source'],
    from: { imageName: 'debian' },
    refused: [{ imageName: 'other' }, {}],
    accepted: [{ imageName: 'debian' }],
    field: pathText(TEMPLATE),
    message: TEMPLATE_FIXED,
  },
  {
    kind: 'VirtualMachine',
    path: [...TEMPLATE, 'reclaimPolicy'],
    from: 'Delete',
    refused: ['Retain'],
    accepted: ['Delete', undefined],
    field: pathText(TEMPLATE),
    message: TEMPLATE_FIXED,
  },
  {
    kind: 'VirtualMachineInstance',
    path: ['spec', 'virtualMachineUID'],
    from: 'uid-1',
    refused: ['uid-2'],
    accepted: ['uid-1'],
    message: 'cannot be changed: an instance belongs to one VirtualMachine',
  },
  {
    kind: 'VirtualMachineInstance',
    path: ['spec', 'domainUUID'],
    from: '4f1c2d3e-5b6a-4789-8abc-0123456789ab',
    refused: ['4f1c2d3e-5b6a-4789-8abc-0123456789ac'],
    accepted: ['4f1c2d3e-5b6a-4789-8abc-0123456789ab'],
    message: 'cannot be changed: it names the domain that may be running',
  },
  {
    kind: 'VirtualMachineInstance',
    path: ['spec', 'epoch'],
    from: 3,
    refused: [2, 1],
    accepted: [3, 4, 10],
    message: 'can only grow: a host refuses an older placement than it has seen',
  },
  {
    kind: 'VirtualMachineInstance',
    path: ['spec', 'host'],
    from: 'host-1',
    refused: ['host-2'],
    accepted: ['host-1'],
    message: 'cannot be changed without a higher epoch',
  },
  {
    kind: 'VirtualMachineInstance',
    path: ['status', 'bootID'],
    from: 'b1.9',
    refused: ['b1', 'b1.2', 'b1.8'],
    accepted: ['b1.9', 'b1.10', 'b2', 'b2.1', undefined],
    message: 'is an earlier term of the same boot',
  },
  {
    kind: 'VirtualMachine',
    path: ['status', 'epoch'],
    from: 3,
    refused: [2, 0, undefined],
    accepted: [3, 4],
    message: 'can only grow: an operator whose caches are behind',
  },
  {
    kind: 'Datastore',
    path: ['spec', 'path'],
    from: '/srv/vms',
    refused: ['/srv/other'],
    accepted: ['/srv/vms'],
    ...WHOLE,
    message: 'cannot be changed: Volumes lie on the Datastore',
  },
  {
    kind: 'Datastore',
    path: ['spec', 'shared'],
    from: true,
    refused: [false, undefined],
    accepted: [true],
    ...WHOLE,
    message: 'cannot be changed: Volumes lie on the Datastore',
  },
  {
    kind: 'Image',
    path: ['spec', 'path'],
    from: 'debian.qcow2',
    refused: ['other.qcow2'],
    accepted: ['debian.qcow2'],
    ...WHOLE,
    message: 'cannot be changed: Volumes were cloned from what the Image was',
  },
  {
    kind: 'VirtualSwitch',
    path: ['spec', 'uplink'],
    from: 'eth1',
    refused: ['eth2', undefined],
    accepted: ['eth1'],
    ...WHOLE,
    message: 'cannot be changed: VMs may be plugged into the VirtualSwitch',
  },
  {
    kind: 'PortGroup',
    path: ['spec', 'vlan'],
    from: 42,
    refused: [43, undefined],
    accepted: [42],
    ...WHOLE,
    message: 'cannot be changed: VMs may be plugged into the PortGroup',
  },
  {
    kind: 'RuleGroup',
    path: ['spec', 'type'],
    complete: 1,
    from: 'Separate',
    refused: ['KeepTogether'],
    accepted: ['Separate'],
    message: 'cannot be changed: it would be another rule',
  },
  {
    kind: 'Migration',
    path: ['spec', 'targetHost'],
    from: 'host-2',
    refused: ['host-3', undefined],
    accepted: ['host-2'],
    ...WHOLE,
    message: 'cannot be changed: a Migration is made once',
  },
];

function complete(kind: string, index = 0): AnyObject {
  const object = COMPLETE_OBJECTS[kind]?.[index];
  if (object === undefined) throw new Error(`There is no complete ${kind}`);
  return { ...object };
}

async function store(name: string, object: AnyObject): Promise<void> {
  const kind = kindNamed(String(object['kind']));
  const metadata = { name, ...(kind.namespaced && { namespace: 'default' }) };
  const apiVersion = String(object['apiVersion']);
  await client.create(kind, { apiVersion, kind: kind.kind, metadata, spec: object['spec'] });
  const status = { apiVersion, kind: kind.kind, metadata, status: object['status'] };
  await client.applyStatus(kind, status, { fieldManager: 'test', force: true });
}

describe('rules about changes', () => {
  it('has a row for every rule', () => {
    const rules = placedRules().filter(({ transition }) => transition);
    const covered = ({ kind, message }: { kind: string; message: string }) =>
      ROWS.some((row) => row.kind === kind && message.startsWith(row.message));
    expect(rules.filter((rule) => !covered(rule))).toEqual([]);
  });

  it.each(ROWS.map((row, index) => ({ ...row, text: pathText(row.path), name: `change-${index}` })))(
    '$kind $text: "$message"',
    async ({ kind, complete: index, path, from, refused, accepted, field, message, name, text }) => {
      const place = { object: complete(kind, index), path };
      await store(name, withValue(place, from));
      const ask = path[0] === 'status' ? verdictOnStatus : verdictOnReplace;
      for (const value of refused) {
        const verdict = await ask(client, withValue(place, value), name);
        const words = { field: field ?? text, message: expect.stringContaining(message) };
        expect(verdict, `${JSON.stringify(value)} must be refused`).toEqual([words]);
      }
      for (const value of accepted) {
        const verdict = await ask(client, withValue(place, value), name);
        expect(verdict, `${JSON.stringify(value)} must be accepted`).toEqual([]);
      }
    },
  );

  it('lets an instance move with a higher epoch, and with no lower or equal one', async () => {
    const instance = complete('VirtualMachineInstance');
    await store('moves', instance);
    const moved = (epoch: number) =>
      withValue(
        { object: withValue({ object: instance, path: ['spec', 'host'] }, 'host-2'), path: ['spec', 'epoch'] },
        epoch,
      );
    expect(await verdictOnReplace(client, moved(4), 'moves')).toEqual([]);
    expect(await verdictOnReplace(client, moved(3), 'moves')).toHaveLength(1);
    expect(await verdictOnReplace(client, moved(2), 'moves')).toHaveLength(2);
  });

  it('lets a host claim no earlier term of its boot than the placement names, and any other boot', async () => {
    const instance = complete('VirtualMachineInstance');
    const placed = withValue({ object: instance, path: ['spec', 'bootID'] }, 'b1.3');
    await store('claims', withValue({ object: placed, path: ['status', 'bootID'] }, 'b0'));
    const { epoch } = z.object({ epoch: z.int() }).parse(instance['spec']);
    const claim = (bootID: string, observedEpoch: number) => {
      const of = { ...placed, status: { ...z.looseObject({}).parse(instance['status']), bootID, observedEpoch } };
      return verdictOnStatus(client, of, 'claims');
    };
    expect(await claim('b1', epoch)).toHaveLength(1);
    expect(await claim('b1.2', epoch)).toHaveLength(1);
    for (const bootID of ['b1.3', 'b1.4', 'b2']) expect(await claim(bootID, epoch)).toEqual([]);
    // What it said of an earlier placement it may still be saying.
    expect(await claim('b1', epoch - 1)).toEqual([]);
  });

  it('says how big the Volume is when it is asked to shrink', async () => {
    const volume = { object: complete('Volume'), path: ['spec', 'size'] };
    await store('shrinks', withValue(volume, '2Gi'));
    const verdict = await verdictOnReplace(client, withValue(volume, '1Gi'), 'shrinks');
    expect(verdict[0]?.message).toContain('it is 2Gi, not 1Gi');
  });
});
