import { describe, expect, it } from 'vitest';
import { HAPolicy } from '../../../../src/api/ha-policy.ts';
import { Host } from '../../../../src/api/host.ts';
import { type ProtectionInput, protectedFromHostFault } from '../../../../src/core/ha/protected.ts';
import { inventoryOf } from '../../../../src/core/model/inventory.ts';
import type { RuleGroupModel } from '../../../../src/core/model/rule-group.ts';
import type { VirtualMachineInput } from '../../../../src/core/virtual-machine/next-step.ts';
import { group, host } from '../../../builders/host-model.ts';
import { instance, readyVolume, virtualMachine } from '../../../builders/objects.ts';

const GIB = 2 ** 30;
const fenceable = Host.object.parse({
  apiVersion: 'drover.dev/v1alpha1',
  kind: 'Host',
  metadata: { name: 'h1', uid: 'h', generation: 1 },
  spec: {},
  status: {
    conditions: [
      {
        type: 'FencingReady',
        status: 'True',
        reason: 'BMCAnswers',
        message: '',
        lastTransitionTime: '2026-03-01T10:00:00.000Z',
      },
    ],
  },
});

interface Given {
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
  readonly policy?: object;
  readonly hosts?: Parameters<typeof inventoryOf>[0]['hosts'];
  readonly groups?: readonly RuleGroupModel[];
  readonly input?: Partial<VirtualMachineInput>;
  readonly on?: Partial<ProtectionInput>;
}

/** A VM on h1, with one disk on a shared datastore, that h2 could take. */
function verdict({ spec, status, policy = {}, hosts = [host('h1'), host('h2')], groups = [], input, on }: Given = {}) {
  const vm = virtualMachine({ spec: { disks: [{ name: 'root', volumeName: 'root' }], ...spec } });
  const placed = instance({
    status: { host: 'h1', observedEpoch: 1, phase: 'Running', conditions: [], ...status },
  });
  return protectedFromHostFault({
    vm,
    instance: placed,
    choice: { ok: true, enabled: true, policy: HAPolicy.spec.parse(policy) },
    host: fenceable,
    virtualMachine: {
      vm,
      instance: placed,
      isProvenOff: false,
      datastoreFault: undefined,
      vmFault: undefined,
      hostFault: undefined,
      strayOn: undefined,
      references: { volumes: new Map([['root', readyVolume('root')]]), portGroups: new Map(), volumeUsers: new Map() },
      cluster: { ok: true, cluster: 'main' },
      cpuModel: { ok: true, model: undefined },
      inventory: inventoryOf({ hosts, placements: new Map([['default/vm', ['h1']]]), groups }),
      admission: undefined,
      groupMigration: undefined,
      volumeHosts: new Map(),
      ...input,
    },
    ...on,
  });
}

describe('a VM is protected from the death of its host', () => {
  it('when another host has all that it needs, and its own can be proven to be off', () => {
    expect(verdict()).toEqual({ ok: true });
  });

  const members = ['default/vm'];
  it.each<[string, Given, string]>([
    ['high availability of its Cluster is off', { on: { choice: { ok: true, enabled: false } } }, 'ClusterHADisabled'],
    ['it wants none', { spec: { ha: { enabled: false } } }, 'HADisabled'],
    ['the policy does nothing', { policy: { hostFault: { action: 'None' } } }, 'PolicyNone'],
    ['its tools are required, and have not connected', { spec: { guestTools: 'Required' } }, 'GuestToolsNotRunning'],
    ['its disk is on one host', { input: { volumeHosts: new Map([['root', 'h1']]) } }, 'LocalDisk'],
    [
      'no other host sees its datastore',
      { hosts: [host('h1'), host('h2', { datastores: new Set() })] },
      'DatastoreNotVisible',
    ],
    ['there is no other host', { hosts: [host('h1')] }, 'NoOtherHost'],
    ['it is larger than every other host', { spec: { memory: { size: '32Gi' } } }, 'HostTooSmall'],
    [
      'a rule in effect keeps it on its host',
      { groups: [group({ type: 'VMsToHosts', members, isOn: true, hosts: new Set(['h1']) })] },
      'VMsToHosts',
    ],
    ['nothing would prove that its host is off', { on: { host: undefined } }, 'FencingNotReady'],
  ])('but not when %s', (_, given, reason) => {
    expect(verdict(given)).toMatchObject({ ok: false, reason });
  });

  it('also while other hosts are full: room is what admission control keeps', () => {
    const full = host('h2', { reserved: { cpuCores: 0, memoryBytes: 16 * GIB } });
    expect(verdict({ hosts: [host('h1'), full] })).toEqual({ ok: true });
  });

  it('with the tools that it requires as long as they answer in this placement', () => {
    const guestTools = { connected: true, addresses: [] };
    const spec = { guestTools: 'Required' };
    expect(verdict({ spec, status: { guestTools } })).toEqual({ ok: true });
    expect(verdict({ spec, status: { guestTools, observedEpoch: 0 } })).toMatchObject({ ok: false });
  });

  it('that comes back by itself needs neither another host nor a proof', () => {
    const policy = { hostFault: { action: 'RestoreOnOriginalHost' } };
    expect(verdict({ policy, hosts: [host('h1')], on: { host: undefined } })).toEqual({ ok: true });
  });
});
