import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DomainTable } from '../../../../src/agent/instances/domain-table.ts';
import { RunRecords } from '../../../../src/agent/instances/run-records.ts';
import { startDomain } from '../../../../src/agent/instances/start-domain.ts';
import type { StartVerdict } from '../../../../src/agent/storage-lease/start-gate.ts';
import { domainXml } from '../../../../src/domain/index.ts';
import { hostFiles } from '../../../../src/host/index.ts';
import { DomainState, type Libvirt, openLibvirt, PausedReason } from '../../../../src/libvirt/index.ts';
import { NOW, run } from '../../../builders/situation.ts';
import { instance } from '../../../builders/virtual-machine-instance.ts';
import { eventually } from '../../libvirt/eventually.ts';
import { type FakeCall, FakeDaemon } from '../../libvirt/fakeDaemon.ts';

/** libvirt's INTERNAL_ERROR: most of what QEMU says. */
const INTERNAL_ERROR = 1;
const VM = instance();
const DOM = { name: 'default_web', uuid: VM.spec.domainUUID, id: 7 };
const HOST = { virtualization: 'qemu', consoleLogPath: '/log', ports: new Map() } as const;

let folder: string;
let daemon: FakeDaemon;
let libvirt: Libvirt;
let table: DomainTable;
let records: RunRecords;
/** Calls that wait for the test to answer them. */
let held: FakeCall[];
/** How often a start asked for a new listing. */
let unclear: number;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'drover-start-'));
  daemon = await FakeDaemon.start();
  libvirt = await openLibvirt({ socketPath: daemon.socketPath });
  table = new DomainTable(libvirt, pino({ enabled: false }), () => undefined);
  records = await RunRecords.load(join(folder, 'runs.json'), new Date(NOW), hostFiles);
  held = daemon.hold();
  unclear = 0;
});
afterEach(async () => {
  await libvirt.close();
  await daemon.stop();
  rmSync(folder, { recursive: true, force: true });
});

function start() {
  const deps = {
    bootID: 'boot-1',
    libvirt,
    virtualization: 'qemu' as const,
    cpuFeatures: () => Promise.resolve(['aes', 'lm']),
    portOf: () => Promise.reject(new Error('no NICs here')),
    mayStart: (): StartVerdict => ({ ok: true }),
    openUserData: () => '',
    files: hostFiles,
    seedDirectory: folder,
    logDirectory: folder,
  };
  return startDomain(
    { deps, table, records, starting: new Map(), onUnclear: () => unclear++ },
    VM,
    run({ startedAt: NOW }),
  );
}

async function called(name: string): Promise<FakeCall> {
  const find = () => held.find((candidate) => candidate.name === name);
  await eventually(`a call of ${name}`, () => find() !== undefined);
  const call = find();
  if (call === undefined) throw new Error(`${name} was not called`);
  held.splice(held.indexOf(call), 1);
  return call;
}

/** What a listing meets while libvirt is starting QEMU. */
const STARTING = { 'state.state': DomainState.PAUSED, 'state.reason': PausedReason.STARTING_UP };

async function answerListing(domains: readonly (typeof DOM)[]): Promise<void> {
  (await called('connectListAllDomains')).reply({ domains, ret: domains.length });
  (await called('connectGetAllDomainStats')).reply({ retStats: domains.map((dom) => ({ dom, params: STARTING })) });
}

async function answerXml(): Promise<void> {
  const intent = { namespace: 'default', name: 'web', spec: VM.spec };
  (await called('domainGetXmlDesc')).reply({ xml: domainXml(intent, HOST, NOW) });
}

describe('a start that fails', () => {
  it('leaves nothing in the table when a listing met the domain and was done before', async () => {
    const starting = start();
    const create = await called('domainCreateXml');
    const listing = table.resync();
    await answerListing([DOM]);
    await answerXml();
    await listing;
    expect(table.byName('default_web')).toMatchObject({ reason: PausedReason.STARTING_UP });
    create.fail(INTERNAL_ERROR, 'Failed to get "write" lock');
    expect(await starting).toMatchObject({ ok: false, reason: 'DiskLocked' });
    expect(table.list()).toEqual([]);
  });

  it('leaves nothing in the table when the listing that met the domain is done later', async () => {
    const starting = start();
    const create = await called('domainCreateXml');
    const listing = table.resync();
    await answerListing([DOM]);
    create.fail(INTERNAL_ERROR, 'Failed to get "write" lock');
    expect(await starting).toMatchObject({ ok: false, reason: 'DiskLocked' });
    await answerXml();
    await listing;
    expect(table.list()).toEqual([]);
    expect(unclear).toBe(0);
  });
});

describe('a start that works', () => {
  it('stays in the table when a listing that is older than it has not met the domain', async () => {
    const starting = start();
    const create = await called('domainCreateXml');
    const listing = table.resync();
    const [domains, stats] = [await called('connectListAllDomains'), await called('connectGetAllDomainStats')];
    create.reply({ dom: DOM });
    expect(await starting).toEqual({ ok: true });
    domains.reply({ domains: [], ret: 0 });
    stats.reply({ retStats: [] });
    await listing;
    expect(table.byName('default_web')).toMatchObject({ state: DomainState.RUNNING, id: 7 });
  });

  it('is looked for anew when the daemon hangs up before its answer', async () => {
    const starting = start();
    const create = await called('domainCreateXml');
    create.connection.socket.destroy();
    await expect(starting).rejects.toThrow('no answer to its start');
    expect(table.isCurrent).toBe(false);
    expect(unclear).toBe(1);
  });
});
