import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_VERSION } from '../../../src/api/common/names.ts';
import { Host, type IncomingMigration } from '../../../src/api/host.ts';
import { Migration } from '../../../src/api/migration.ts';
import type { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import type { InstanceMigrationStatus } from '../../../src/api/virtual-machine-instance-migration.ts';
import { conditionOf, Secret, World } from './world.ts';

let world: World;

beforeAll(async () => {
  world = await World.open('operator-migration');
  world.startOperator();
  for (const name of ['h1', 'h2']) await world.addHost(name);
});
afterAll(() => world.close());

/** A VM that runs on h1, as its agent says. */
async function running(name: string, spec: object = {}): Promise<VirtualMachineInstance> {
  await world.addVM(name, { hostSelector: { matchLabels: { pin: 'h1' } }, ...spec });
  const placed = await world.instanceWhen(name, 'to be placed');
  await world.agentReports(placed, 'Running', { startedAt: '2026-01-01T00:00:00Z' });
  await world.vmWhen(name, 'to run', ({ status }) => status?.phase === 'Running');
  await world.editVM(name, { hostSelector: null });
  return placed;
}

async function migrate(name: string, vm: string, spec: object = {}): Promise<Migration> {
  const metadata = { name, namespace: 'default' };
  const object = { apiVersion: API_VERSION, kind: 'Migration', metadata, spec: { virtualMachineName: vm, ...spec } };
  return await world.create(object, Migration);
}

/** What the target's agent says. */
async function targetSays(uid: string, vm: string, arrival: Partial<IncomingMigration>): Promise<void> {
  const incoming = { uid, virtualMachine: `default/${vm}`, ready: true, domain: 'Absent', ...arrival };
  await world.addHost('h2', { incomingMigrations: [incoming] });
}

async function sourceSays(
  instance: VirtualMachineInstance,
  migration: Partial<InstanceMigrationStatus>,
): Promise<void> {
  await world.agentReports(instance, 'Running', {
    startedAt: '2026-01-01T00:00:00Z',
    migration: { uid: instance.spec.migration?.uid, startedAt: '2026-01-01T00:01:00Z', ...migration },
  });
}

const ordered = async (vm: string, order: string) =>
  await world.instanceWhen(vm, `to be told ${order}`, ({ spec }) => spec.migration?.order === order);

const phase = async (name: string, wanted: string) =>
  await world.when(Migration, name, `to be ${wanted}`, ({ status }) => status?.phase === wanted);

/** Brings a VM so far that its source is told to copy it. */
async function copying(name: string): Promise<VirtualMachineInstance> {
  await running(name);
  const { metadata } = await migrate(`move-${name}`, name, { targetHost: 'h2' });
  await ordered(name, 'Prepare');
  await targetSays(metadata.uid ?? '', name, {});
  return await ordered(name, 'Migrate');
}

describe('a Migration', () => {
  beforeAll(async () => {
    await world.client.patch(Host, { name: 'h1' }, { type: 'merge', body: { metadata: { labels: { pin: 'h1' } } } });
  });

  it('switches the host when the source has told that it has no copy, in one write', async () => {
    const instance = await copying('plain');
    await sourceSays(instance, { phase: 'Running' });
    expect(
      (await world.vmWhen('plain', 'to migrate', ({ status }) => status?.phase === 'Migrating')).status,
    ).toMatchObject({
      host: 'h1',
    });
    await sourceSays(instance, { phase: 'Moved', endedAt: '2026-01-01T00:02:00Z', downtimeMilliseconds: 42 });
    const moved = await world.instanceWhen('plain', 'to belong to h2', ({ spec }) => spec.host === 'h2');
    expect(moved.spec).toMatchObject({ epoch: 2, host: 'h2' });
    expect(moved.spec.migration).toBeUndefined();
    expect((await phase('move-plain', 'Switching')).status).toMatchObject({ downtimeMilliseconds: 42 });
    // Until the new host speaks of it, the VM counts as what it was.
    const between = await world.vmWhen('plain', 'to be on h2', ({ status }) => status?.host === 'h2');
    expect(between.status?.conditions.find(({ type }) => type === 'Ready')).toMatchObject({ status: 'True' });
    await world.agentReports(moved, 'Running', { startedAt: '2026-01-01T00:00:00Z' });
    expect((await phase('move-plain', 'Succeeded')).status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Ready', status: 'True', message: 'VM plain runs on host h2' }),
    );
  });

  it('that failed leaves the VM where it is, by a new placement, and says why', async () => {
    const instance = await copying('failing');
    await sourceSays(instance, { phase: 'Failed', reason: 'NotConverging', message: 'It writes too fast.' });
    const kept = await world.instanceWhen('failing', 'to leave it', ({ spec }) => spec.migration === undefined);
    expect(kept.spec).toMatchObject({ host: 'h1', epoch: 2 });
    expect((await phase('move-failing', 'Failed')).status).toMatchObject({
      failures: [{ reason: 'NotConverging', message: 'It writes too fast.' }],
    });
  });

  it.each<[string, IncomingMigration['domain'], string]>([
    ['goes on at the target when its copy runs', 'Running', 'KeepTarget'],
    ['goes on at the source when the target has none', 'Absent', 'KeepSource'],
  ])('that broke off at its very end %s', async (_what, domain, order) => {
    const name = `broken-${order.toLowerCase()}`;
    const instance = await copying(name);
    const uid = instance.spec.migration?.uid ?? '';
    await sourceSays(instance, { phase: 'Unclear', endedAt: '2026-01-01T00:02:00Z' });
    const unclear = await world.when(Migration, `move-${name}`, 'to be unclear', ({ status }) =>
      Boolean(status?.conditions.some(({ reason }) => reason === 'Unclear')),
    );
    expect(unclear.status?.phase).toBe('Running');
    // What the target said before the break says nothing.
    await targetSays(uid, name, { domain, answers: '2025-01-01T00:00:00Z' });
    await targetSays(uid, name, { domain, answers: '2026-01-01T00:02:00Z' });
    const told = await ordered(name, order);
    expect(told.spec).toMatchObject({ host: 'h1', epoch: 1 });
    await sourceSays(told, { phase: order === 'KeepTarget' ? 'Moved' : 'Failed', endedAt: '2026-01-01T00:02:00Z' });
    await world.instanceWhen(name, 'to be where its copy is', ({ spec }) => {
      return spec.epoch === 2 && spec.host === (order === 'KeepTarget' ? 'h2' : 'h1');
    });
  });

  it('goes on with another operator where it was, and is stopped when its object was forced away', async () => {
    await copying('orphan');
    await world.stopOperator();
    const body = { metadata: { finalizers: null } };
    await world.client.patch(Migration, { namespace: 'default', name: 'move-orphan' }, { type: 'merge', body });
    await world.client.delete(Migration, { namespace: 'default', name: 'move-orphan' });
    world.startOperator();
    const instance = await ordered('orphan', 'Abort');
    await sourceSays(instance, { phase: 'Failed', reason: 'Cancelled', message: 'It was cancelled.' });
    await world.instanceWhen('orphan', 'to leave it', ({ spec }) => spec.migration === undefined && spec.host === 'h1');
  });

  it('that is over goes after its time', async () => {
    await migrate('short', 'nobody', { ttlSecondsAfterFinished: 1 });
    await phase('short', 'Failed');
    await world.gone(Migration, 'short');
  });

  it('names everything that is in the way at once', async () => {
    await running('stuck', { memory: { size: '2Gi' } });
    await world.addHost('h3', {
      capacity: { cpuCores: 0, memoryBytes: 2 ** 30 },
      conditions: [
        {
          type: 'Ready',
          status: 'False',
          reason: 'LibvirtUnreachable',
          message: 'no answer',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
    });
    await migrate('everything', 'stuck', { targetHost: 'h3' });
    const reasons = (await phase('everything', 'Failed')).status?.failures?.map(({ reason }) => reason);
    expect(reasons?.toSorted()).toEqual(['HostNotReady', 'InsufficientMemory', 'TooFewCPUs']);
  });
});

describe('the certificates of hosts', () => {
  it('are issued for the key that a host shows, by an authority whose key only its Secret holds', async () => {
    const publicKey =
      'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEJtHpw6Bw09I0aNNW15ItHXQD87JwaB5IOliYjT64NphLhIOWdkAOsqV14NMIawPq2zlsCVBqBRAkuWsqptMZpw==';
    await world.addHost('h4', { tlsPublicKey: publicKey, address: '192.0.2.44' });
    const host = await world.when(
      Host,
      'h4',
      'to have a certificate',
      ({ status }) => status?.tlsCertificate !== undefined,
    );
    const { certificate = '', authorities } = host.status?.tlsCertificate ?? {};
    expect(certificate).toContain('BEGIN CERTIFICATE');
    const secret = await world.client.get(Secret, { namespace: 'drover-system', name: 'drover-host-authority' });
    expect(Buffer.from(secret.data?.['tls.crt'] ?? '', 'base64').toString()).toBe(authorities);
    // Another address makes another one.
    await world.addHost('h4', { tlsPublicKey: publicKey, address: '192.0.2.45' });
    await world.when(Host, 'h4', 'to have another certificate', ({ status }) => {
      return status?.tlsCertificate !== undefined && status.tlsCertificate.certificate !== certificate;
    });
  });
});

describe('the condition Migratable', () => {
  const migratable = async (what: string, reason: string) =>
    conditionOf(
      await world.vmWhen('mobile', what, (vm) => conditionOf(vm, 'Migratable')?.reason === reason),
      'Migratable',
    );

  it('says of a running VM whether there is a host that it could be moved to, and what is in the way', async () => {
    await world.client.patch(
      Host,
      { name: 'h1' },
      { type: 'merge', body: { metadata: { labels: { mobile: 'yes' } } } },
    );
    await world.addVM('mobile', { hostSelector: { matchLabels: { mobile: 'yes' } } });
    const placed = await world.instanceWhen('mobile', 'to be placed');
    await world.agentReports(placed, 'Running', {
      startedAt: '2026-01-01T00:00:00Z',
      cpu: { features: ['aes', 'lm'] },
    });
    expect(await migratable('to be pinned', 'HostSelectorMismatch')).toMatchObject({
      status: 'False',
      message: expect.stringContaining('h2 (its labels do not match spec.hostSelector)'),
    });
    await world.client.patch(
      Host,
      { name: 'h2' },
      { type: 'merge', body: { metadata: { labels: { mobile: 'yes' } } } },
    );
    expect(await migratable('to be free', 'HostFound')).toMatchObject({ status: 'True' });
  });

  it('follows what hosts are and have', async () => {
    const cpu = { model: 'any', vendor: 'Intel', sockets: 1, coresPerSocket: 8, threadsPerCore: 1 };
    await world.addHost('h2', { cpu: { ...cpu, features: ['lm'] } });
    expect(await migratable('to be too new', 'CPUNotCompatible')).toMatchObject({
      message: expect.stringContaining('h2 (its CPU lacks aes, which the guest has seen'),
    });
    await world.addHost('h2', { cpu: { ...cpu, features: ['aes', 'avx', 'lm'] } });
    await migratable('to be free', 'HostFound');
  });

  it('is False of a VM that is off', async () => {
    await world.editVM('mobile', { runStrategy: 'Halted' });
    await migratable('to be off', 'NotRunning');
  });
});
