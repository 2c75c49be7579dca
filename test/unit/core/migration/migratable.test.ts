import { describe, expect, it } from 'vitest';
import { migratable } from '../../../../src/core/migration/migratable.ts';
import { inventoryOf } from '../../../../src/core/model/inventory.ts';
import { host } from '../../../builders/host-model.ts';
import { hostObject } from '../../../builders/migration.ts';
import { type GivenMigration, migrationSituation } from '../../../builders/migration-situation.ts';

function verdict(given: GivenMigration = {}) {
  const situation = migrationSituation(given);
  const { instance } = situation.virtualMachine;
  if (instance === undefined) throw new Error('the VM runs');
  return migratable(situation, instance);
}

const pending = {
  conditions: [
    {
      type: 'MigrationReady',
      status: 'False',
      reason: 'CertificatePending',
      message: 'it has none',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    },
  ],
};

describe('a running VM', () => {
  it('can be moved when one other host is made for it', () => {
    expect(verdict({ models: { h2: { switches: new Set() } } })).toEqual({ ok: true });
  });

  it('can be moved although hosts are full, away or in maintenance: that may be over when its turn comes', () => {
    const full = { allocatable: { cpuCores: 0, memoryBytes: 0 } };
    const away = { ready: { ok: false, reason: 'HostNotReady', message: 'away' }, inMaintenance: true } as const;
    expect(verdict({ models: { h2: full, h3: away } })).toEqual({ ok: true });
  });

  it('cannot be moved where no other host has all that it needs; the reason is the most frequent one', () => {
    const models = {
      h2: { datastores: new Set<string>(), switches: new Set<string>() },
      h3: { datastores: new Set<string>() },
    };
    expect(verdict({ models })).toEqual({
      ok: false,
      reason: 'DatastoreNotVisible',
      message:
        'no other host of its Cluster can take it: h2 (it does not see Datastore shared; it does not have VirtualSwitch lan), h3 (it does not see Datastore shared)',
    });
  });

  it.each<[string, GivenMigration, string]>([
    ['its CPU is found nowhere else', { cpu: { model: 'Westmere' } }, 'CPUNotCompatible'],
    [
      'the others run guests with something else',
      { hosts: { h1: hostObject('h1', { virtualization: 'kvm' }) } },
      'VirtualizationDiffers',
    ],
    ['its host cannot prove who it is', { hosts: { h1: hostObject('h1', pending) } }, 'CertificatePending'],
    [
      'no other host can',
      { hosts: { h2: hostObject('h2', pending), h3: hostObject('h3', pending) } },
      'CertificatePending',
    ],
  ])('cannot be moved where %s', (_why, given, reason) => {
    expect(verdict(given)).toMatchObject({ ok: false, reason });
  });

  it('names what is in the way of hosts that it wants, rather than that it does not want others', () => {
    const vm = { spec: { hostSelector: { matchLabels: { rack: 'a' } } } };
    const models = { h2: { labels: { rack: 'a' } } };
    expect(verdict({ vm, models, cpu: { model: 'Westmere' } })).toMatchObject({ reason: 'CPUNotCompatible' });
    expect(verdict({ vm })).toMatchObject({ reason: 'HostSelectorMismatch' });
  });

  it('cannot be moved when its disk is on a datastore that is not shared', () => {
    const situation = migrationSituation();
    const { virtualMachine } = situation;
    const local = { ...virtualMachine, volumeHosts: new Map([['root', 'h1']]) };
    expect(verdict({ situation: { virtualMachine: local } })).toMatchObject({ ok: false, reason: 'LocalDisk' });
  });

  it('cannot be moved in a Cluster of one host', () => {
    const { virtualMachine } = migrationSituation();
    const alone = { ...virtualMachine, inventory: inventoryOf({ hosts: [host('h1')] }) };
    expect(verdict({ situation: { virtualMachine: alone } })).toEqual({
      ok: false,
      reason: 'NoOtherHost',
      message: 'its Cluster has no other host',
    });
  });
});
