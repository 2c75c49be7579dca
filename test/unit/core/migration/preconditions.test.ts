import { describe, expect, it } from 'vitest';
import { type MigrationSituation, planMigration } from '../../../../src/core/migration/preconditions.ts';
import { group } from '../../../builders/host-model.ts';
import { hostObject, instanceMigration } from '../../../builders/migration.ts';
import { type GivenMigration, migrationSituation as given } from '../../../builders/migration-situation.ts';

function reasons(situation: MigrationSituation): string[] {
  const verdict = planMigration(situation);
  return verdict.ok ? [] : verdict.failures.map(({ reason }) => reason);
}

describe('a migration', () => {
  it('may begin when nothing is in the way, to the host that is asked for or to the best one', () => {
    expect(planMigration(given())).toMatchObject({ ok: true, sourceHost: 'h1', target: { metadata: { name: 'h2' } } });
    const emptier = { h3: { allocatable: { cpuCores: 8, memoryBytes: 64 * 2 ** 30 } } };
    expect(planMigration(given({ target: undefined, models: emptier }))).toMatchObject({
      ok: true,
      target: { metadata: { name: 'h3' } },
    });
  });

  const full = { allocatable: { cpuCores: 0, memoryBytes: 0 } };
  const pending = {
    type: 'MigrationReady',
    status: 'False',
    reason: 'CertificatePending',
    message: 'none',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };
  const ready = {
    type: 'Ready',
    status: 'True',
    reason: 'AgentReady',
    message: '',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };
  const silent = { ...ready, status: 'Unknown', reason: 'AgentNotResponding' };

  it.each<[string, GivenMigration, string[]]>([
    ['of a VM that is paused', { phase: 'Paused' }, ['NotRunning']],
    [
      'of a VM that is being deleted',
      { vm: { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } } },
      ['VirtualMachineTerminating'],
    ],
    [
      'of a VM that another one has',
      { spec: { migration: instanceMigration({ uid: 'm-2' }) } },
      ['MigrationInProgress'],
    ],
    ['of a VM whose RuleGroup is moved', { situation: { groupMigration: 'crew' } }, ['GroupMigrating']],
    ['from a host that is silent', { hosts: { h1: hostObject('h1', { conditions: [silent] }) } }, ['SourceNotReady']],
    ['to where it is', { target: 'h1' }, ['IsSource']],
    ['to nowhere', { target: 'h9' }, ['HostNotFound']],
    ['to another Cluster', { target: 'h4', hosts: { h4: hostObject('h4') } }, ['OtherCluster']],
    ['to a host in maintenance', { models: { h2: { inMaintenance: true } } }, ['HostInMaintenance']],
    ['to a host without room', { models: { h2: full } }, ['InsufficientMemory']],
    ['to a host without its datastore', { models: { h2: { datastores: new Set() } } }, ['DatastoreNotVisible']],
    ['to a host without its switch', { models: { h2: { switches: new Set() } } }, ['SwitchNotAvailable']],
    [
      'to a host that emulates',
      { hosts: { h2: hostObject('h2', { virtualization: 'kvm' }) } },
      ['VirtualizationDiffers'],
    ],
    [
      'to a host that has not told its address',
      { hosts: { h2: hostObject('h2', { address: undefined }) } },
      ['HostNotReady'],
    ],
    [
      'to a host without a certificate',
      { hosts: { h2: hostObject('h2', { conditions: [ready, pending] }) } },
      ['CertificatePending'],
    ],
    [
      'from a host without a certificate',
      { hosts: { h1: hostObject('h1', { conditions: [ready, pending] }) } },
      ['CertificatePending'],
    ],
    ['to a host whose CPU lacks the baseline', { cpu: { model: 'Nehalem' } }, ['CPUNotCompatible']],
    [
      'that a rule forbids',
      { groups: [group({ type: 'VMsToHosts', isOn: true, hosts: new Set(['h1']), members: ['default/vm'] })] },
      ['VMsToHosts'],
    ],
    ['to no host that fits', { target: undefined, models: { h2: full, h3: full } }, ['NoHostFits']],
    [
      'with all of it',
      { phase: 'Paused', models: { h2: { ...full, inMaintenance: true, switches: new Set() } } },
      ['NotRunning', 'HostInMaintenance', 'InsufficientMemory', 'SwitchNotAvailable'],
    ],
  ])('%s is refused, and says everything that is in the way', (_what, changes, expected) => {
    expect(reasons(given(changes))).toEqual(expected);
  });

  it('without a baseline goes where the guest finds every CPU feature that it has seen', () => {
    const cpu = { features: ['aes', 'avx2', 'lm'] };
    const models = {
      h2: { cpuFeatures: new Set(['lm']) },
      h3: { cpuFeatures: new Set(['aes', 'avx2', 'avx512f', 'lm']) },
    };
    const refusal = planMigration(given({ models, cpu }));
    expect(refusal).toMatchObject({ ok: false, failures: [{ reason: 'CPUNotCompatible' }] });
    expect(JSON.stringify(refusal)).toContain('its CPU lacks aes, avx2, which the guest has seen; a CPU baseline');
    expect(reasons(given({ models, cpu, target: 'h3' }))).toEqual([]);
  });

  it('with the CPU that the guest was started with counts, not the one that it gets at its next power cycle', () => {
    const models = {
      h2: { cpuModels: new Set(['Nehalem']), missingCpuFeatures: new Map([['Westmere', ['aes']]]) },
      h3: { cpuModels: new Set(['Nehalem', 'Westmere']) },
    };
    const spec = { cpu: { sockets: 1, coresPerSocket: 1, threads: 1, model: 'Nehalem' } };
    const cpu = { model: 'Westmere' };
    expect(reasons(given({ models, spec, cpu }))).toEqual(['CPUNotCompatible']);
    expect(JSON.stringify(planMigration(given({ models, spec, cpu })))).toContain(
      'cannot present Westmere: it lacks aes;',
    );
    expect(reasons(given({ models, spec, cpu, target: 'h3' }))).toEqual([]);
    expect(reasons(given({ models, spec, cpu: { model: 'Nehalem' } }))).toEqual([]);
  });

  it('in the clear needs no certificate', () => {
    const situation = given({ hosts: { h2: hostObject('h2', { conditions: [ready, pending] }) } });
    const { cluster } = situation;
    const open = cluster && {
      ...cluster,
      spec: { ...cluster.spec, migration: { ...cluster.spec.migration, transport: 'TCP' as const } },
    };
    expect(reasons({ ...situation, cluster: open })).toEqual([]);
  });
});
