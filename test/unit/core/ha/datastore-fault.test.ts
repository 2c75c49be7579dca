import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cluster } from '../../../../src/api/cluster.ts';
import { HAPolicy } from '../../../../src/api/ha-policy.ts';
import { Host } from '../../../../src/api/host.ts';
import type { DatastoreLossReason } from '../../../../src/api/host-storage.ts';
import {
  type DatastoreFaultInput,
  datastoreFaultOf,
  datastoreFaultStep,
  type Elsewhere,
  NOT_STOPPED_AFTER_MS,
  NOTICED_BY_ALL_MS,
  reportOf,
} from '../../../../src/core/ha/datastore-fault.ts';
import { policyOf } from '../../../../src/core/ha/policy.ts';
import { instance, virtualMachine } from '../../../builders/objects.ts';

const SINCE = '2026-03-01T12:00:00.000Z';
const SINCE_MS = Date.parse(SINCE);

interface Loss {
  readonly reason?: DatastoreLossReason;
  readonly since?: string;
}

function host(name: string, losses: Readonly<Record<string, Loss>> = {}, state = 'Online'): Host {
  return Host.object.parse({
    apiVersion: 'drover.dev/v1alpha1',
    kind: 'Host',
    metadata: { name, uid: name, generation: 1 },
    spec: {},
    status: {
      bootID: 'boot',
      availability: { state, since: SINCE, bootID: 'boot', reason: 'Because', message: '' },
      datastores: Object.entries(losses).map(([datastore, { reason = 'PermanentlyLost', since = SINCE }]) => ({
        name: datastore,
        available: false,
        loss: { reason, since },
      })),
      conditions: [],
    },
  });
}

function choiceOf(datastoreFault: object, enabled = true) {
  const metadata = { name: 'c', uid: 'c', generation: 1 };
  const cluster = Cluster.object.parse({
    apiVersion: 'drover.dev/v1alpha1',
    kind: 'Cluster',
    metadata,
    spec: { ha: { enabled, policyName: 'p' } },
  });
  const policy = HAPolicy.object.parse({
    apiVersion: 'drover.dev/v1alpha1',
    kind: 'HAPolicy',
    metadata,
    spec: { datastoreFault },
  });
  return policyOf(cluster, () => policy);
}

function input(changes: Partial<DatastoreFaultInput> = {}): DatastoreFaultInput {
  const lost = host('h1', { shared: {} });
  return {
    vm: virtualMachine(),
    datastores: ['shared'],
    host: lost,
    hosts: [lost, host('h2')],
    choice: choiceOf({ action: 'Restart' }),
    nowMs: SINCE_MS + 1_000,
    ...changes,
  };
}

const movedAfterMs = (changes: Partial<DatastoreFaultInput>) => {
  const at = datastoreFaultOf(input(changes))?.moveAtMs;
  return at === undefined ? undefined : at - SINCE_MS;
};

describe('a VM whose host has lost a datastore of it', () => {
  it.each<[string, Partial<DatastoreFaultInput>, number | undefined]>([
    ['for good, as soon as all hosts had the time to notice', {}, NOTICED_BY_ALL_MS],
    ['for good, after the delay of the policy', { choice: choiceOf({ action: 'Restart', delaySeconds: 60 }) }, 60_000],
    ['for a time, after 140 s', { host: host('h1', { shared: { reason: 'AllPathsDown' } }) }, 140_000],
    [
      'for a time, after what the policy gives to paths, and its delay',
      {
        host: host('h1', { shared: { reason: 'AllPathsDown' } }),
        choice: choiceOf({ action: 'Restart', delaySeconds: 60, allPathsDownSeconds: 20 }),
      },
      80_000,
    ],
    [
      'later if another host has just noticed that it has lost it, too',
      { hosts: [host('h1', { shared: {} }), host('h2', { shared: { since: '2026-03-01T12:00:10.000Z' } })] },
      10_000 + NOTICED_BY_ALL_MS,
    ],
    [
      'no later because of a host whose clock is an hour ahead',
      { hosts: [host('h1', { shared: {} }), host('h2', { shared: { since: '2026-03-01T13:00:00.000Z' } })] },
      NOTICED_BY_ALL_MS,
    ],
    ['never unless the policy asks for it', { choice: choiceOf({}) }, undefined],
    ['never where high availability is off', { choice: choiceOf({ action: 'Restart' }, false) }, undefined],
    ['never if it wants none', { vm: virtualMachine({ spec: { ha: { enabled: false } } }) }, undefined],
  ])('is moved: %s', (_when, changes, afterMs) => {
    expect(movedAfterMs(changes)).toBe(afterMs);
  });

  it('is told of the one that is acted upon first', () => {
    const lost = host('h1', { a: { reason: 'AllPathsDown' }, b: {}, other: {} });
    expect(datastoreFaultOf(input({ host: lost, datastores: ['a', 'b'] }))).toMatchObject({ datastore: 'b' });
  });

  it('is left alone if its disks lie elsewhere', () => {
    expect(datastoreFaultOf(input({ datastores: ['other'] }))).toBeUndefined();
  });
});

const fault = { datastore: 'shared', reason: 'PermanentlyLost', since: SINCE, moveAtMs: SINCE_MS + 15_000 } as const;
const stop = { datastoreName: 'shared', reason: 'PermanentlyLost', detectedAt: SINCE, decidedAt: SINCE };
const lost = host('h1', { shared: {} });

describe('what is done about it', () => {
  it('is to wait until the time has come, and to stop it then', () => {
    const at = (nowMs: number) => datastoreFaultStep(fault, virtualMachine(), instance(), lost, nowMs);
    expect(at(fault.moveAtMs - 1)).toEqual({ step: 'WaitUntil', atMs: fault.moveAtMs });
    expect(at(fault.moveAtMs)).toEqual({ step: 'Stop', fault });
  });

  it.each<[string, Parameters<typeof virtualMachine>[0], Parameters<typeof instance>[0], Host]>([
    ['whose host is silent: what becomes of it is decided with that', {}, {}, host('h1', { shared: {} }, 'Suspect')],
    ['that is halted', { spec: { runStrategy: 'Halted' } }, {}, lost],
    ['that is deleted', { metadata: { deletionTimestamp: SINCE } }, {}, lost],
    ['that is being stopped already', {}, { spec: { powerState: 'Off' } }, lost],
    ['whose guest has switched itself off', {}, { status: { phase: 'Off', observedEpoch: 1, conditions: [] } }, lost],
    [
      'that is being moved',
      {},
      { spec: { migration: { name: 'm', uid: 'm', targetHost: 'h2', order: 'Migrate', transport: 'TLS' } } },
      lost,
    ],
    ['of the same name that was deleted', { metadata: { uid: 'another' } }, {}, lost],
  ])('is nothing for a VM %s', (_which, vm, made, seen) => {
    const { migration, ...spec } = (made?.spec ?? {}) as Record<string, unknown>;
    const plain = instance({ ...made, spec });
    const whole = migration === undefined ? plain : Object.assign({}, plain, { spec: { ...plain.spec, migration } });
    expect(datastoreFaultStep(fault, virtualMachine(vm), whole, seen, fault.moveAtMs)).toEqual({ step: 'Nothing' });
  });

  it('is never to stop one before its time, nor while a loss was noticed anywhere a moment ago', () => {
    const seconds = fc.integer({ min: 0, max: 400 });
    fc.assert(
      fc.property(
        fc.record({ delay: seconds, apd: seconds, now: seconds, others: fc.array(seconds, { maxLength: 4 }) }),
        fc.constantFrom<DatastoreLossReason>('PermanentlyLost', 'AllPathsDown'),
        ({ delay, apd, now, others }, reason) => {
          const nowMs = SINCE_MS + now * 1000;
          const noticed = others.filter((each) => each <= now);
          const own = host('h1', { shared: { reason } });
          const rest = noticed.map((each, index) =>
            host(`h${index + 2}`, { shared: { since: new Date(SINCE_MS + each * 1000).toISOString() } }),
          );
          const choice = choiceOf({ action: 'Restart', delaySeconds: delay, allPathsDownSeconds: apd });
          const found = datastoreFaultOf(input({ host: own, hosts: [own, ...rest], choice, nowMs }));
          const { step } = datastoreFaultStep(found, virtualMachine(), instance(), own, nowMs);
          const dueS = Math.max(
            delay + (reason === 'AllPathsDown' ? apd : 0),
            Math.max(0, ...noticed) + NOTICED_BY_ALL_MS / 1000,
          );
          expect(step).toBe(now >= dueS ? 'Stop' : 'WaitUntil');
        },
      ),
    );
  });
});

describe('what its owner is told', () => {
  const possible: Elsewhere = { isSeen: true, refusal: undefined };
  const told = (spec: object, elsewhere = possible, afterMs = 0, status?: Record<string, unknown>) =>
    reportOf(fault, instance({ spec: { ...spec }, ...(status && { status }) }), elsewhere, SINCE_MS + afterMs);

  it('is when it is moved', () => {
    expect(told({})).toMatchObject({ reason: 'PermanentlyLost', message: expect.stringContaining('12:00:15') });
  });

  it('is that the datastore itself has failed where no other host sees it', () => {
    expect(told({}, { isSeen: false, refusal: 'no other host of its Cluster can take it' })).toMatchObject({
      reason: 'DatastoreFailed',
    });
  });

  it('is what keeps it from other hosts that see the datastore', () => {
    expect(told({}, { isSeen: true, refusal: 'no other host of its Cluster can take it: h2 (a rule)' })).toMatchObject({
      reason: 'NoHostFits',
      message: expect.stringContaining('h2 (a rule)'),
    });
  });

  it('is why nothing is done', () => {
    const { moveAtMs: _, ...rest } = fault;
    const report = reportOf({ ...rest, waits: 'PolicyNone' }, instance(), possible, SINCE_MS);
    expect(report.message).toContain('datastoreFault.action None');
  });

  it('is what to do when its host cannot stop it', () => {
    const spec = { powerState: 'Off', datastoreFault: stop };
    expect(told(spec, possible, NOT_STOPPED_AFTER_MS - 1)).toMatchObject({
      reason: 'BeingMoved',
      untilMs: SINCE_MS + NOT_STOPPED_AFTER_MS,
    });
    expect(told(spec, possible, NOT_STOPPED_AFTER_MS)).toMatchObject({
      reason: 'NotStopped',
      message: expect.stringContaining('reset it'),
    });
  });

  it('is that it waits for another host once its own has stopped it', () => {
    const status = { phase: 'Off', host: 'h1', observedEpoch: 1, observedGeneration: 1, conditions: [] };
    expect(told({ powerState: 'Off', datastoreFault: stop }, possible, 1, status)).toMatchObject({
      reason: 'AwaitsHost',
    });
  });
});
