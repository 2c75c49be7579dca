import { describe, expect, it } from 'vitest';
import { inventoryOf } from '../../../../src/core/model/inventory.ts';
import { isConfirmedOff, nextStep, type VirtualMachineInput } from '../../../../src/core/virtual-machine/next-step.ts';
import { host } from '../../../builders/host-model.ts';
import { instance, portGroup, readyVolume, virtualMachine, volume } from '../../../builders/objects.ts';

function input(overrides: Partial<VirtualMachineInput> = {}): VirtualMachineInput {
  return {
    vm: virtualMachine(),
    instance: undefined,
    isProvenOff: false,
    datastoreFault: undefined,
    references: { volumes: new Map(), portGroups: new Map(), volumeUsers: new Map() },
    cluster: { ok: true, cluster: 'lab' },
    cpuModel: { ok: true, model: undefined },
    inventory: inventoryOf({ hosts: [host('h1'), host('h2')] }),
    admission: undefined,
    vmFault: undefined,
    hostFault: undefined,
    groupMigration: undefined,
    volumeHosts: new Map(),
    strayOn: undefined,
    ...overrides,
  };
}

const references = (overrides: Partial<VirtualMachineInput['references']>) => ({ ...input().references, ...overrides });
const withDisk = (disk: Record<string, unknown>) => virtualMachine({ spec: { disks: [{ name: 'root', ...disk }] } });
const confirmedOff = instance({
  spec: { powerState: 'Off' },
  status: { phase: 'Off', observedGeneration: 1, observedEpoch: 1, host: 'h1' },
});

describe('a VM that shall run', () => {
  it('is placed with the first epoch', () => {
    expect(nextStep(input())).toMatchObject({ step: 'CreateInstance', assignment: { host: 'h1', epoch: 1 } });
  });

  it('is placed with a higher epoch than any before', () => {
    const vm = virtualMachine({ status: { epoch: 7 } });
    expect(nextStep(input({ vm }))).toMatchObject({ step: 'CreateInstance', assignment: { epoch: 8 } });
  });

  it('goes back to its host when its instance has gone without proof that the domain is off', () => {
    const vm = virtualMachine({ status: { epoch: 7, host: 'h2' } });
    expect(nextStep(input({ vm }))).toMatchObject({ step: 'CreateInstance', assignment: { host: 'h2', epoch: 8 } });
  });

  it('is placed nowhere while that host cannot take it', () => {
    const vm = virtualMachine({ status: { epoch: 7, host: 'gone' } });
    expect(nextStep(input({ vm }))).toMatchObject({ step: 'Unschedulable' });
  });

  it('is started nowhere else while a host runs a domain of it without an intent', () => {
    expect(nextStep(input({ strayOn: 'h2' }))).toMatchObject({ step: 'WaitFor', missing: [{ reason: 'StrayDomain' }] });
    expect(nextStep(input({ strayOn: 'h1' }))).toMatchObject({ step: 'CreateInstance', assignment: { host: 'h1' } });
  });

  it('is given the CPU model of its Cluster, on a host that can present it', () => {
    const inventory = inventoryOf({ hosts: [host('h1'), host('h2', { cpuModels: new Set(['Nehalem']) })] });
    const step = nextStep(input({ cpuModel: { ok: true, model: 'Nehalem' }, inventory }));
    expect(step).toMatchObject({ step: 'CreateInstance', assignment: { host: 'h2', cpuModel: 'Nehalem' } });
  });

  it('waits while its Cluster has no CPU baseline yet', () => {
    const cpuModel = { ok: false, reason: 'BaselineNotReady', message: 'no host has told' } as const;
    expect(nextStep(input({ cpuModel }))).toEqual({
      step: 'WaitFor',
      missing: [{ reason: 'BaselineNotReady', message: 'no host has told' }],
    });
  });

  it('first gets the Volumes of its templates', () => {
    const vm = withDisk({ volumeTemplate: { datastoreName: 'shared', size: '1Gi' } });
    expect(nextStep(input({ vm }))).toMatchObject({
      step: 'CreateVolumes',
      volumes: [{ name: 'vm-root', ownedByVM: true }],
    });
  });

  it('does not take the Volume of an earlier VM of its name for the one of its template', () => {
    const vm = withDisk({ volumeTemplate: { datastoreName: 'shared', size: '1Gi' } });
    const owner = (uid: string) => ({
      metadata: { ownerReferences: [{ apiVersion: 'drover.dev/v1alpha1', kind: 'VirtualMachine', name: 'vm', uid }] },
    });
    const stepWith = (uid: string) =>
      nextStep(
        input({ vm, references: references({ volumes: new Map([['vm-root', readyVolume('vm-root', owner(uid))]]) }) }),
      );
    expect(stepWith('another')).toMatchObject({ step: 'WaitFor', missing: [{ reason: 'VolumeTerminating' }] });
    expect(stepWith(vm.metadata.uid)).toMatchObject({ step: 'CreateInstance' });
  });

  it('leaves a retained Volume to itself', () => {
    const vm = withDisk({ volumeTemplate: { datastoreName: 'shared', size: '1Gi', reclaimPolicy: 'Retain' } });
    expect(nextStep(input({ vm }))).toMatchObject({ volumes: [{ ownedByVM: false }] });
  });

  it.each([
    ['a Volume that does not exist', new Map(), new Map(), 'VolumeNotFound'],
    ['a Volume that is being made', new Map([['data', volume('data')]]), new Map(), 'VolumeNotReady'],
    [
      'a Volume that failed',
      new Map([['data', readyVolume('data', { status: { phase: 'Failed' } })]]),
      new Map(),
      'VolumeNotReady',
    ],
    [
      'a Volume that is being deleted',
      new Map([['data', readyVolume('data', { metadata: { deletionTimestamp: 'now' } })]]),
      new Map(),
      'VolumeTerminating',
    ],
    ["another VM's Volume", new Map([['data', readyVolume('data')]]), new Map([['data', 'other']]), 'VolumeInUse'],
  ])('waits for %s', (_what, volumes, volumeUsers, reason) => {
    const vm = withDisk({ volumeName: 'data' });
    const step = nextStep(input({ vm, references: references({ volumes, volumeUsers }) }));
    expect(step).toMatchObject({ step: 'WaitFor', missing: [{ reason }] });
  });

  it('tells everything that is missing at once', () => {
    const vm = virtualMachine({
      spec: { disks: [{ name: 'root', volumeName: 'data' }], nics: [{ name: 'eth0', portGroup: 'lan' }] },
    });
    const cluster = { ok: false, reason: 'NoDefaultCluster', message: '' } as const;
    const step = nextStep(input({ vm, cluster }));
    expect(step.step === 'WaitFor' && step.missing.map(({ reason }) => reason)).toEqual([
      'NoDefaultCluster',
      'VolumeNotFound',
      'PortGroupNotFound',
    ]);
  });

  it('follows the data of a disk that is not shared', () => {
    const vm = withDisk({ volumeName: 'data' });
    const volumes = new Map([['data', readyVolume('data')]]);
    const step = nextStep(input({ vm, references: references({ volumes }), volumeHosts: new Map([['data', 'h2']]) }));
    expect(step).toMatchObject({ step: 'CreateInstance', assignment: { host: 'h2' } });
  });

  it('is left alone when its instance is as it should be', () => {
    expect(nextStep(input({ instance: instance() }))).toEqual({ step: 'Nothing' });
  });

  it('keeps its host and epoch when its spec changes', () => {
    const vm = virtualMachine({ spec: { cpu: { sockets: 2 } } });
    const placed = instance({ spec: { host: 'h2', epoch: 5 } });
    const step = nextStep(input({ vm, instance: placed }));
    expect(step).toMatchObject({ step: 'UpdateInstance', spec: { host: 'h2', epoch: 5, cpu: { sockets: 2 } } });
  });

  it('gets a new CPU model of its Cluster with its next power cycle', () => {
    const inventory = inventoryOf({ hosts: [host('h1', { cpuModels: new Set(['Nehalem']) })] });
    const step = nextStep(input({ instance: instance(), cpuModel: { ok: true, model: 'Nehalem' }, inventory }));
    expect(step).toMatchObject({ step: 'UpdateInstance', spec: { host: 'h1', cpu: { model: 'Nehalem' } } });
  });

  it.each([
    ['its host cannot present the new one', { ok: true, model: 'Haswell' } as const],
    ['the Cluster has none yet', { ok: false, reason: 'BaselineNotReady', message: '' } as const],
  ])('keeps its CPU model while %s', (_when, cpuModel) => {
    const cpu = { sockets: 1, coresPerSocket: 1, threads: 1, model: 'Nehalem' };
    expect(nextStep(input({ instance: instance({ spec: { cpu } }), cpuModel }))).toEqual({ step: 'Nothing' });
  });

  it('keeps the devices it has while a new one is missing, but is paused at once', () => {
    const vm = virtualMachine({ spec: { paused: true, nics: [{ name: 'eth0', portGroup: 'nowhere' }] } });
    const step = nextStep(input({ vm, instance: instance() }));
    expect(step).toMatchObject({ step: 'UpdateInstance', spec: { powerState: 'Paused', nics: [] } });
  });

  it('passes a restart request on', () => {
    const vm = virtualMachine({ metadata: { annotations: { 'drover.dev/restartedAt': '2026-01-01' } } });
    const step = nextStep(input({ vm, instance: instance() }));
    expect(step).toMatchObject({ step: 'UpdateInstance', spec: { restartedAt: '2026-01-01' } });
  });

  it('keeps the MAC address of a NIC that names none', () => {
    const vm = virtualMachine({ spec: { nics: [{ name: 'eth0', portGroup: 'lan' }] } });
    const portGroups = new Map([['lan', portGroup('lan', { spec: { vlan: 7 } })]]);
    const first = nextStep(input({ vm, references: references({ portGroups }) }));
    if (first.step !== 'CreateInstance') throw new Error(`expected CreateInstance, not ${first.step}`);
    const [nic] = first.devices.nics;
    expect(nic).toMatchObject({ virtualSwitchName: 'lan', vlan: 7 });
    expect(nic?.mac).toMatch(/^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/);
    expect(nextStep(input({ vm, references: references({ portGroups }) }))).toEqual(first);
  });
});

describe('a VM that shall not run', () => {
  const halted = virtualMachine({ spec: { runStrategy: 'Halted' } });

  it('needs nothing when it is not placed', () => {
    expect(nextStep(input({ vm: halted }))).toEqual({ step: 'Nothing' });
  });

  it('is turned off', () => {
    expect(nextStep(input({ vm: halted, instance: instance() }))).toMatchObject({
      step: 'UpdateInstance',
      spec: { powerState: 'Off' },
    });
  });

  it('is waited for while it shuts down', () => {
    const stopping = instance({
      spec: { powerState: 'Off' },
      status: { phase: 'Stopping', observedGeneration: 1, observedEpoch: 1, host: 'h1' },
    });
    expect(nextStep(input({ vm: halted, instance: stopping }))).toEqual({ step: 'Nothing' });
  });

  it('gives its instance up with the proof that it is off', () => {
    expect(nextStep(input({ vm: halted, instance: confirmedOff }))).toMatchObject({ step: 'ReleaseInstance' });
  });

  it('shuts down within the grace period that its spec gives now', () => {
    const vm = virtualMachine({ spec: { runStrategy: 'Halted', terminationGracePeriodSeconds: 5 } });
    expect(nextStep(input({ vm, instance: instance() }))).toMatchObject({ spec: { gracePeriodSeconds: 5 } });
  });
});

describe('an instance whose VM is gone', () => {
  it.each([
    ['deleted', undefined],
    ['being deleted', virtualMachine({ metadata: { deletionTimestamp: 'now' } })],
    ['another one of the same name', virtualMachine({ metadata: { uid: 'e7a0c5ae-0000-4000-8000-000000000002' } })],
  ])('is turned off when the VM is %s', (_how, vm) => {
    expect(nextStep(input({ vm, instance: instance() }))).toMatchObject({
      step: 'UpdateInstance',
      spec: { powerState: 'Off' },
    });
  });

  it('is released when it is off', () => {
    expect(nextStep(input({ vm: undefined, instance: confirmedOff }))).toMatchObject({ step: 'ReleaseInstance' });
  });
});

it('stops and starts a VM anew whose instance somebody deleted', () => {
  const deleted = instance({ metadata: { deletionTimestamp: 'now' } });
  expect(nextStep(input({ instance: deleted }))).toMatchObject({ step: 'UpdateInstance', spec: { powerState: 'Off' } });
});

describe('that a domain is off is believed', () => {
  it('when its host says so of this very intent', () => {
    expect(isConfirmedOff(confirmedOff)).toBe(true);
  });

  it.each([
    ['of an older intent', { observedGeneration: 0 }],
    ['of an older placement', { observedEpoch: 0 }],
    ['by another host', { host: 'h2' }],
    ['in another phase', { phase: 'Stopping' }],
  ])('not when it was said %s', (_how, change) => {
    const status = { phase: 'Off', observedGeneration: 1, observedEpoch: 1, host: 'h1', ...change };
    expect(isConfirmedOff(instance({ spec: { powerState: 'Off' }, status }))).toBe(false);
  });

  it('not when the guest shut itself down and may be started again', () => {
    const status = { phase: 'Off', observedGeneration: 1, observedEpoch: 1, host: 'h1' };
    expect(isConfirmedOff(instance({ status }))).toBe(false);
  });
});

it('counts memory in whole bytes, whatever fraction was asked for', () => {
  const step = nextStep(input({ vm: virtualMachine({ spec: { memory: { size: '1.1Gi' } } }), instance: instance() }));
  expect(step).toMatchObject({ step: 'UpdateInstance', spec: { memoryBytes: 1181116007 } });
});

it('drops user-data that was sealed from a Secret when the spec gives it in the clear', () => {
  const vm = virtualMachine({ spec: { cloudInit: { userData: '#cloud-config' } } });
  const cloudInit = { instanceID: 'i', hostname: 'vm', sealedUserData: { source: 's', box: 'b' } };
  const step = nextStep(input({ vm, instance: instance({ spec: { cloudInit } }) }));
  expect(step.step === 'UpdateInstance' && step.spec.cloudInit).toMatchObject({
    userData: '#cloud-config',
    sealedUserData: undefined,
  });
});

describe('a VM that was stopped because its host has lost a datastore', () => {
  const stop = {
    datastoreName: 'shared',
    reason: 'PermanentlyLost',
    detectedAt: '2026-03-01T12:00:00.000Z',
    decidedAt: '2026-03-01T12:00:15.000Z',
  } as const;
  const spec = { powerState: 'Off', gracePeriodSeconds: 0, datastoreFault: stop };
  const fault = { datastore: 'shared', reason: 'PermanentlyLost', since: stop.detectedAt } as const;

  it('stays off where it was while it is to be moved', () => {
    const step = nextStep(input({ instance: instance({ spec }), datastoreFault: { ...fault, moveAtMs: 1 } }));
    // Other fields of the intent follow the VM.
    expect(step).toMatchObject({ step: 'Nothing' });
  });

  it.each([
    ['the datastore is back', undefined],
    ['the policy has changed', { ...fault, waits: 'PolicyNone' } as const],
  ])('goes on where it was when %s', (_why, datastoreFault) => {
    const step = nextStep(input({ instance: instance({ spec }), datastoreFault }));
    expect(step).toMatchObject({
      step: 'UpdateInstance',
      spec: { powerState: 'Running', gracePeriodSeconds: 60, epoch: 1 },
    });
    expect(step.step === 'UpdateInstance' && step.spec.datastoreFault).toBeUndefined();
  });

  it('is let go when it is halted meanwhile', () => {
    const vm = virtualMachine({ spec: { runStrategy: 'Halted' } });
    const status = { phase: 'Off', observedGeneration: 1, observedEpoch: 1, host: 'h1' };
    const step = nextStep(
      input({ vm, instance: instance({ spec, status }), datastoreFault: { ...fault, moveAtMs: 1 } }),
    );
    expect(step).toMatchObject({ step: 'ReleaseInstance' });
  });
});

describe('a VM whose host says that its guest has failed', () => {
  const vmFault = {
    action: 'Restart',
    heartbeatTimeoutSeconds: 30,
    ioQuietSeconds: 120,
    minUptimeSeconds: 120,
    maxResets: 3,
    windowSeconds: 3600,
  } as const;
  const at = '2026-01-02T03:04:05Z';
  const fault = { reason: 'GuestPanicked', at, epoch: 1, action: 'Restart', actedAt: [at] } as const;
  const told = { phase: 'Failed', observedEpoch: 1, host: 'h1', guestFault: fault } as const;

  it('is ended there at once, whatever grace it has', () => {
    const step = nextStep(input({ vmFault, instance: instance({ spec: { vmFault }, status: told }) }));
    expect(step).toMatchObject({
      step: 'UpdateInstance',
      spec: { host: 'h1', powerState: 'Off', gracePeriodSeconds: 0 },
    });
  });

  it('is let go when that is confirmed, and not before', () => {
    const spec = { vmFault, powerState: 'Off', gracePeriodSeconds: 0 } as const;
    const ending = instance({ spec, status: { ...told, phase: 'Stopping' } });
    expect(nextStep(input({ vmFault, instance: ending }))).toEqual({ step: 'Nothing' });
    const off = instance({ spec, status: { ...told, phase: 'Off', observedGeneration: 1 } });
    expect(nextStep(input({ vmFault, instance: off }))).toMatchObject({ step: 'ReleaseInstance' });
  });

  it('is placed anew on another host, which knows what was done before', () => {
    const vm = virtualMachine({ status: { epoch: 1, lastFault: { ...fault, host: 'h1' } } });
    const step = nextStep(input({ vmFault, vm }));
    expect(step).toMatchObject({
      step: 'CreateInstance',
      assignment: { host: 'h2', epoch: 2, vmFault: { ...vmFault, actedAt: [at] } },
    });
  });

  it('comes back where there is no other host', () => {
    const vm = virtualMachine({ status: { epoch: 1, lastFault: { ...fault, host: 'h1' } } });
    const alone = inventoryOf({ hosts: [host('h1')] });
    expect(nextStep(input({ vmFault, vm, inventory: alone }))).toMatchObject({ assignment: { host: 'h1', epoch: 2 } });
  });

  it('may come back to that host at any later placement', () => {
    const vm = virtualMachine({ status: { epoch: 2, lastFault: { ...fault, host: 'h1' } } });
    expect(nextStep(input({ vmFault, vm }))).toMatchObject({ assignment: { host: 'h1', epoch: 3 } });
  });

  it.each([
    ['was reset where it is', { ...told, guestFault: { ...fault, action: 'Reboot' } }],
    ['was told of another placement', { ...told, guestFault: { ...fault, epoch: 9 } }],
    ['was told by a host that has it no more', { ...told, host: 'h2' }],
  ] as const)('stays when it %s', (_, status) => {
    const step = nextStep(input({ vmFault, instance: instance({ spec: { vmFault }, status }) }));
    expect(step).not.toMatchObject({ spec: { powerState: 'Off' } });
  });

  it('stays when the policy wants it no more', () => {
    const step = nextStep(input({ instance: instance({ spec: { vmFault }, status: told }) }));
    expect(step).toMatchObject({ step: 'UpdateInstance', spec: { powerState: 'Running' } });
    expect(step).not.toHaveProperty('spec.vmFault');
  });

  it('keeps what was counted before when its policy changes', () => {
    const before = instance({ spec: { vmFault: { ...vmFault, actedAt: [at] } } });
    const step = nextStep(input({ vmFault: { ...vmFault, maxResets: 5 }, instance: before }));
    expect(step).toMatchObject({ step: 'UpdateInstance', spec: { vmFault: { maxResets: 5, actedAt: [at] } } });
  });
});

describe('a VM whose policy does nothing when its host fails', () => {
  const hostFault = { action: 'None' } as const;

  it('has that in its first placement', () => {
    expect(nextStep(input({ hostFault }))).toMatchObject({ step: 'CreateInstance', assignment: { hostFault } });
  });

  it('is told when the policy changes, either way', () => {
    const told = nextStep(input({ hostFault, instance: instance() }));
    expect(told).toMatchObject({ step: 'UpdateInstance', spec: { hostFault } });
    const takenBack = nextStep(input({ instance: instance({ spec: { hostFault } }) }));
    expect(takenBack).toMatchObject({ step: 'UpdateInstance' });
    expect(takenBack).not.toHaveProperty('spec.hostFault');
  });
});
