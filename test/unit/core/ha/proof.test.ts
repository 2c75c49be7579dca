import { describe, expect, it } from 'vitest';
import { Host } from '../../../../src/api/host.ts';
import type { HostAvailability } from '../../../../src/api/host-availability.ts';
import { needsProof, proofFor, shouldRun } from '../../../../src/core/ha/proof.ts';
import { instance, virtualMachine } from '../../../builders/objects.ts';

const FENCE = {
  bootID: 'boot-1',
  method: 'BMC',
  startedAt: '2026-03-01T12:00:04.000Z',
  attempts: 1,
  confirmedAt: '2026-03-01T12:00:05.000Z',
} as const;

function host(availability: Partial<HostAvailability> | undefined, bootID = 'boot-1'): Host {
  return Host.object.parse({
    apiVersion: 'drover.dev/v1alpha1',
    kind: 'Host',
    metadata: { name: 'h1', uid: 'h', generation: 1 },
    spec: {},
    status: {
      bootID,
      conditions: [],
      ...(availability && {
        availability: {
          state: 'Fenced',
          since: '2026-03-01T12:00:05.000Z',
          bootID,
          detectedAt: '2026-03-01T12:00:00.000Z',
          reason: 'PoweredOff',
          message: '',
          ...availability,
        },
      }),
    },
  });
}

/** What the agent of h1 has written when it ran the VM in that boot. */
const claimedIn = (bootID: string, epoch = 1) => ({
  status: { host: 'h1', observedEpoch: epoch, bootID, phase: 'Running', conditions: [] },
});
const failover = {
  fromHost: 'h0',
  bootID: 'boot-0',
  proof: 'BMC',
  detectedAt: '2026-03-01T11:00:00.000Z',
  decidedAt: '2026-03-01T11:00:01.000Z',
  epoch: 2,
};

describe('that nothing of a VM runs on its host', () => {
  it('is proven by the end of the boot in which it ran', () => {
    expect(proofFor(instance(claimedIn('boot-1')), host({ fence: FENCE }))).toEqual({
      method: 'BMC',
      bootID: 'boot-1',
      detectedAt: '2026-03-01T12:00:00.000Z',
      fencedAt: '2026-03-01T12:00:05.000Z',
    });
  });

  it.each<[string, Parameters<typeof instance>[0], Host | undefined]>([
    ['by the end of another boot', claimedIn('boot-2'), host({ fence: FENCE })],
    [
      'by a fencing that is not confirmed',
      claimedIn('boot-1'),
      host({ state: 'Fencing', fence: { ...FENCE, confirmedAt: undefined } }),
    ],
    ['by its silence', claimedIn('boot-1'), host({ state: 'Dead' })],
    ['by a host that is gone', claimedIn('boot-1'), undefined],
    ['where nobody watches', claimedIn('boot-1'), host(undefined)],
    [
      'while it is being moved: it may run at the target',
      {
        ...claimedIn('boot-1'),
        spec: { migration: { name: 'm', uid: 'm', targetHost: 'h2', order: 'Migrate', transport: 'TLS' } },
      },
      host({ fence: FENCE }),
    ],
  ])('is not proven %s', (_what, overrides, seen) => {
    const spec = overrides?.spec?.['migration'] === undefined ? {} : { migration: overrides.spec['migration'] };
    const made = instance({ ...(overrides?.status && { status: overrides.status }) });
    expect(proofFor(Object.assign({}, made, { spec: { ...made.spec, ...spec } }), seen)).toBeUndefined();
  });

  it('is proven by the end of the boot that was to start it, where no other has said that it may', () => {
    const placed = instance({ spec: { bootID: 'boot-1' } });
    expect(proofFor(placed, host({ state: 'Dead' }))).toBeUndefined();
    expect(proofFor(placed, host({ fence: FENCE }))).toMatchObject({ method: 'BMC', bootID: 'boot-1' });
    const claimed = instance({ spec: { bootID: 'boot-1' }, ...claimedIn('boot-2') });
    expect(proofFor(claimed, host({ fence: FENCE }))).toBeUndefined();
  });

  it('needs no proof where no boot was to start it, and none has said that it may', () => {
    expect(proofFor(instance(), host({ state: 'Dead' }))).toMatchObject({ method: 'NeverStarted' });
  });

  it('needs none either where the status is still that of the host before, which is proven to be dead', () => {
    const moved = instance({
      spec: { epoch: 2, failover },
      status: { host: 'h0', observedEpoch: 1, bootID: 'boot-0', phase: 'Running', conditions: [] },
    });
    expect(proofFor(moved, host({ state: 'Dead' }))).toMatchObject({ method: 'NeverStarted' });
  });

  it('is not taken for sure of a suspect, which may go on in a moment', () => {
    expect(proofFor(instance(), host({ state: 'Suspect' }))).toBeUndefined();
  });

  it('needs a proof of a VM that came by a migration, although its host has not said anything of it yet', () => {
    const arrived = instance({
      spec: { epoch: 2 },
      status: { host: 'h0', observedEpoch: 1, bootID: 'boot-0', phase: 'Running', conditions: [] },
    });
    expect(proofFor(arrived, host({ state: 'Dead' }))).toBeUndefined();
    // It may have come in a boot that began after the reading, and that nobody has told of.
    const proof = { method: 'BMC', bootID: 'boot-1', needsReading: true };
    expect(proofFor(arrived, host({ fence: FENCE }))).toMatchObject(proof);
    expect(proofFor(arrived, host({ fence: { ...FENCE, method: 'Administrator' } }))).not.toHaveProperty(
      'needsReading',
    );
    // It may have come after that.
    expect(proofFor(arrived, host({ state: 'Online', fence: FENCE }, 'boot-2'))).toBeUndefined();
  });

  it('is not proven by a lease of a VM that came by a migration: it may have come in the next term', () => {
    const fence = { ...FENCE, method: 'StorageLease' } as const;
    const arrived = instance({
      spec: { epoch: 2 },
      status: { host: 'h0', observedEpoch: 1, bootID: 'boot-0', phase: 'Running', conditions: [] },
    });
    expect(proofFor(arrived, host({ fence }))).toMatchObject({ method: 'StorageLease', needsReading: true });
    expect(proofFor(instance(claimedIn('boot-1')), host({ fence }))).toMatchObject({ method: 'StorageLease' });
  });

  it('is proven of one term by its end, and not of the next', () => {
    const fence = { ...FENCE, method: 'StorageLease' } as const;
    expect(proofFor(instance(claimedIn('boot-1')), host({ fence }, 'boot-1.2'))).toMatchObject({ bootID: 'boot-1' });
    expect(proofFor(instance(claimedIn('boot-1.2')), host({ fence }, 'boot-1.2'))).toBeUndefined();
  });
});

it('is proven by the boot in which its copy was when it came by a migration', () => {
  const arrived = instance({
    spec: { epoch: 2, bootID: 'boot-1' },
    status: { host: 'h0', observedEpoch: 1, bootID: 'boot-0', phase: 'Running', conditions: [] },
  });
  expect(proofFor(arrived, host({ fence: FENCE }))).toMatchObject({ method: 'BMC', bootID: 'boot-1' });
  expect(proofFor(arrived, host({ fence: FENCE }))).not.toHaveProperty('needsReading');
  expect(proofFor(arrived, host({ fence: { ...FENCE, bootID: 'boot-0' } }))).toBeUndefined();
});

describe('a VM that was stopped for a lost datastore', () => {
  const datastoreFault = {
    datastoreName: 'shared',
    reason: 'PermanentlyLost',
    detectedAt: '2026-03-01T12:00:00.000Z',
    decidedAt: '2026-03-01T12:00:15.000Z',
  };
  const spec = { powerState: 'Off', gracePeriodSeconds: 0, datastoreFault };
  const off = {
    host: 'h1',
    observedEpoch: 1,
    observedGeneration: 1,
    bootID: 'boot-1',
    phase: 'Off',
    lastStop: { at: '2026-03-01T12:00:16.000Z', reason: 'Destroyed' },
    conditions: [],
  };
  const alive = host({ state: 'Online', detectedAt: undefined });

  it('is given to another host by the word of its own', () => {
    const stopped = instance({ spec, status: off });
    expect(proofFor(stopped, alive)).toEqual({
      method: 'HostConfirmed',
      bootID: 'boot-1',
      detectedAt: '2026-03-01T12:00:00.000Z',
      fencedAt: '2026-03-01T12:00:16.000Z',
    });
    expect(shouldRun(virtualMachine(), stopped)).toBe(true);
    expect(needsProof(stopped)).toBe(false);
  });

  it.each([
    ['runs as far as is known', { ...off, phase: 'Running' }],
    ['is being stopped', { ...off, phase: 'Stopping' }],
    ['was off before it was told to be', { ...off, observedGeneration: 0 }],
    ['was off in an earlier placement', { ...off, observedEpoch: 0 }],
    ['was off elsewhere', { ...off, host: 'h0' }],
  ])('is kept from all others while it %s', (_what, status) => {
    expect(proofFor(instance({ spec, status }), alive)).toBeUndefined();
    expect(needsProof(instance({ spec, status }))).toBe(true);
  });

  it('is given to nobody when it is off because it is halted', () => {
    const halted = instance({ spec: { powerState: 'Off' }, status: off });
    expect(proofFor(halted, alive)).toBeUndefined();
    expect(shouldRun(virtualMachine({ spec: { runStrategy: 'Halted' } }), instance({ spec, status: off }))).toBe(false);
  });
});

describe('a VM of a dead host', () => {
  const running = claimedIn('boot-1');

  it.each<[string, boolean, Parameters<typeof virtualMachine>[0], Parameters<typeof instance>[0]]>([
    ['that ran', true, {}, running],
    [
      'that its host had ended because it was isolated',
      true,
      {},
      { status: { ...running.status, phase: 'Off', reason: 'HostIsolated' } },
    ],
    ['that is halted', false, { spec: { runStrategy: 'Halted' } }, running],
    ['that is not to be run elsewhere', false, { spec: { ha: { enabled: false } } }, running],
    ['that is to be off', false, {}, { ...running, spec: { powerState: 'Off' } }],
    ['that is deleted', false, { metadata: { deletionTimestamp: '2026-03-01T12:00:00Z' } }, running],
    ['of an earlier one of its name', false, { metadata: { uid: 'other' } }, running],
    ['that switched itself off', false, {}, { status: { ...running.status, phase: 'Off' } }],
    ['whose start was under way', true, {}, { status: { ...running.status, phase: 'Starting' } }],
  ])('%s: is run elsewhere: %s', (_what, expected, vm, changes) => {
    expect(shouldRun(virtualMachine(vm), instance(changes))).toBe(expected);
  });
});
