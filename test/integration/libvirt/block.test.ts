import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  BlockCommit,
  BlockJobAbort,
  BlockJobStatus,
  BlockJobType,
  BlockResize,
  type DomainRef,
  isLibvirtError,
  SnapshotCreate,
} from '../../../src/libvirt/index.ts';
import { diskXml } from './builders.ts';
import { collect, startDomain, useLibvirt } from './context.ts';
import { backingOf, checkImage, fillImage, makeImage } from './images.ts';

const context = useLibvirt();

async function destroy(dom: DomainRef): Promise<void> {
  await context.libvirt.call('domainDestroyFlags', { dom });
}

describe('the disks of a running domain', () => {
  it('are copied to another file and used from there after the pivot', async () => {
    const { libvirt, daemon } = context;
    const source = makeImage(daemon, 'copy-source.qcow2');
    fillImage(source, 7, '0', '64k');
    const target = join(daemon.imagesPath, 'copy-target.qcow2');
    using jobs = await collect(libvirt, 'blockJob');
    const dom = await startDomain(libvirt, { name: 'copy', devices: diskXml(source) });
    const destXml = `<disk type='file'><source file='${target}'/><driver type='qcow2'/></disk>`;
    await libvirt.call('domainBlockCopy', {
      dom,
      path: 'vda',
      destXml,
      params: { bandwidth: 0, granularity: 65_536 },
      flags: 4,
    });
    const ready = await jobs.until('READY', ({ status }) => status === BlockJobStatus.READY);
    expect(ready).toMatchObject({ dom: { uuid: dom.uuid }, dst: 'vda', type: BlockJobType.COPY });
    const info = await libvirt.call('domainGetBlockJobInfo', { dom, path: 'vda' });
    expect(info).toMatchObject({ found: 1, type: BlockJobType.COPY });
    expect(info.cur).toBe(info.end);
    await libvirt.call('domainBlockJobAbort', { dom, path: 'vda', flags: BlockJobAbort.PIVOT });
    await jobs.until('COMPLETED', ({ status }) => status === BlockJobStatus.COMPLETED);
    expect((await libvirt.call('domainGetXmlDesc', { dom })).xml).toContain(target);
    expect(await libvirt.call('domainGetBlockJobInfo', { dom, path: 'vda' })).toMatchObject({ found: 0 });
    await destroy(dom);
    checkImage(target, 7, '0', '64k');
  });

  it('get an overlay by a disk-only snapshot, and lose it by an active commit', async () => {
    const { libvirt, daemon } = context;
    const base = makeImage(daemon, 'commit-base.qcow2');
    const overlay = join(daemon.imagesPath, 'commit-overlay.qcow2');
    using jobs = await collect(libvirt, 'blockJob');
    const dom = await startDomain(libvirt, { name: 'commit', devices: diskXml(base) });
    const xmlDesc = `<domainsnapshot><disks><disk name='vda' snapshot='external'><source file='${overlay}'/></disk></disks></domainsnapshot>`;
    const flags = SnapshotCreate.DISK_ONLY | SnapshotCreate.NO_METADATA | SnapshotCreate.ATOMIC;
    await libvirt.call('domainSnapshotCreateXml', { dom, xmlDesc, flags });
    expect(backingOf(overlay)).toBe(base);
    await libvirt.call('domainBlockCommit', { dom, disk: 'vda', bandwidth: 0, flags: BlockCommit.ACTIVE });
    const ready = await jobs.until('READY', ({ status }) => status === BlockJobStatus.READY);
    expect(ready.type).toBe(BlockJobType.ACTIVE_COMMIT);
    await libvirt.call('domainBlockJobAbort', { dom, path: 'vda', flags: BlockJobAbort.PIVOT });
    await jobs.until('COMPLETED', ({ status }) => status === BlockJobStatus.COMPLETED);
    const { xml } = await libvirt.call('domainGetXmlDesc', { dom });
    expect(xml).toContain(base);
    expect(xml).not.toContain(overlay);
    await destroy(dom);
  });

  it('are made independent of their backing file by a pull', async () => {
    const { libvirt, daemon } = context;
    const base = makeImage(daemon, 'pull-base.qcow2');
    fillImage(base, 9, '1M', '64k');
    const overlay = makeImage(daemon, 'pull-overlay.qcow2', '8M', base);
    using jobs = await collect(libvirt, 'blockJob');
    const dom = await startDomain(libvirt, { name: 'pull', devices: diskXml(overlay) });
    await libvirt.call('domainBlockPull', { dom, path: 'vda', bandwidth: 0 });
    const done = await jobs.until('COMPLETED', ({ status }) => status === BlockJobStatus.COMPLETED);
    expect(done.type).toBe(BlockJobType.PULL);
    await destroy(dom);
    expect(backingOf(overlay)).toBeUndefined();
    checkImage(overlay, 9, '1M', '64k');
  });

  it('keep their source when a copy is aborted', async () => {
    const { libvirt, daemon } = context;
    const source = makeImage(daemon, 'abort-source.qcow2', '64M');
    fillImage(source, 5, '0', '32M');
    const target = join(daemon.imagesPath, 'abort-target.qcow2');
    using jobs = await collect(libvirt, 'blockJob');
    const dom = await startDomain(libvirt, { name: 'abort', devices: diskXml(source) });
    const destXml = `<disk type='file'><source file='${target}'/><driver type='qcow2'/></disk>`;
    await libvirt.call('domainBlockCopy', { dom, path: 'vda', destXml, params: { bandwidth: 1_048_576 }, flags: 4 });
    await libvirt.call('domainBlockJobSetSpeed', { dom, path: 'vda', bandwidth: 2 });
    expect(await libvirt.call('domainGetBlockJobInfo', { dom, path: 'vda' })).toMatchObject({
      found: 1,
      bandwidth: 2n,
    });
    await libvirt.call('domainBlockJobAbort', { dom, path: 'vda' });
    await jobs.until('CANCELED', ({ status }) => status === BlockJobStatus.CANCELED);
    expect((await libvirt.call('domainGetXmlDesc', { dom })).xml).toContain(source);
    await destroy(dom);
  });

  it('grow while the domain runs', async () => {
    const { libvirt, daemon } = context;
    const path = makeImage(daemon, 'resize.qcow2');
    const dom = await startDomain(libvirt, { name: 'resize', devices: diskXml(path) });
    await libvirt.call('domainBlockResize', { dom, disk: 'vda', size: 16 * 1_048_576, flags: BlockResize.BYTES });
    const info = await libvirt.call('domainGetBlockInfo', { dom, path: 'vda' });
    expect(info.capacity).toBe(16n * 1_048_576n);
    expect(info.physical).toBe(BigInt(statSync(path).size));
    await destroy(dom);
  });

  it('are limited and counted', async () => {
    const { libvirt, daemon } = context;
    const path = makeImage(daemon, 'tuned.qcow2');
    using tunables = await collect(libvirt, 'tunable');
    const dom = await startDomain(libvirt, { name: 'tuned', devices: diskXml(path) });
    const params = { total_iops_sec: 500, total_bytes_sec: 10_000_000n };
    await libvirt.call('domainSetBlockIoTune', { dom, disk: 'vda', params, flags: 1 });
    const { params: read } = await libvirt.call('domainGetBlockIoTune', { dom, disk: 'vda', flags: 1 });
    expect(read).toMatchObject({
      total_iops_sec: 500n,
      total_bytes_sec: 10_000_000n,
    });
    const told = await tunables.until('of this domain', (event) => event.dom.uuid === dom.uuid);
    expect(told.params).toMatchObject({ 'blkdeviotune.disk': 'vda', 'blkdeviotune.total_iops_sec': 500n });
    const { params: stats } = await libvirt.call('domainBlockStatsFlags', { dom, path: 'vda' });
    expect(stats['rd_bytes']).toBeTypeOf('bigint');
    expect(await libvirt.call('domainGetDiskErrors', { dom })).toEqual({ errors: [], nerrors: 0 });
    await destroy(dom);
  });

  it('report a wrong name as an error of the call', async () => {
    const { libvirt } = context;
    const dom = await startDomain(libvirt, { name: 'diskless' });
    const call = libvirt.call('domainGetBlockJobInfo', { dom, path: 'vdz' });
    await expect(call).rejects.toSatisfy((error: unknown) => isLibvirtError(error, 'INVALID_ARG'));
    await destroy(dom);
  });
});

describe('snapshots', () => {
  it('form a tree that can be walked, reverted to and pruned', async () => {
    const { libvirt, daemon } = context;
    const path = makeImage(daemon, 'tree.qcow2');
    const dom = await startDomain(libvirt, { name: 'tree', devices: diskXml(path) });
    const make = async (name: string) => {
      const xmlDesc = `<domainsnapshot><name>${name}</name></domainsnapshot>`;
      return (await libvirt.call('domainSnapshotCreateXml', { dom, xmlDesc })).snap;
    };
    const first = await make('first');
    const second = await make('second');
    const { snapshots } = await libvirt.call('domainListAllSnapshots', { dom });
    expect(snapshots.map(({ name }) => name).toSorted()).toEqual(['first', 'second']);
    expect((await libvirt.call('domainSnapshotGetParent', { snap: second })).snap.name).toBe('first');
    expect((await libvirt.call('domainSnapshotCurrent', { dom })).snap.name).toBe('second');
    await libvirt.call('domainRevertToSnapshot', { snap: first });
    expect((await libvirt.call('domainSnapshotCurrent', { dom })).snap.name).toBe('first');
    expect((await libvirt.call('domainSnapshotGetXmlDesc', { snap: first })).xml).toMatch(/<state>running<\/state>/);
    await libvirt.call('domainSnapshotDelete', { snap: second });
    await libvirt.call('domainSnapshotDelete', { snap: first });
    expect(await libvirt.call('domainHasCurrentSnapshot', { dom })).toEqual({ result: false });
    const gone = libvirt.call('domainSnapshotLookupByName', { dom, name: 'first' });
    await expect(gone).rejects.toSatisfy((error: unknown) => isLibvirtError(error, 'NO_DOMAIN_SNAPSHOT'));
    await destroy(dom);
  });
});

describe('save and restore', () => {
  it('stop a domain and let it go on from a file', async () => {
    const { libvirt, daemon } = context;
    const file = join(daemon.imagesPath, 'saved');
    const dom = await startDomain(libvirt, { name: 'saved' });
    await libvirt.call('domainSaveFlags', { dom, to: file });
    expect((await libvirt.call('connectListAllDomains')).domains.map(({ name }) => name)).not.toContain('saved');
    expect((await libvirt.call('domainSaveImageGetXmlDesc', { file })).xml).toMatch(/<name>saved<\/name>/);
    await libvirt.call('domainRestoreFlags', { from: file });
    const restored = await libvirt.call('domainLookupByName', { name: 'saved' });
    expect(restored.dom.uuid).toBe(dom.uuid);
    await destroy(restored.dom);
  });

  it('take their file as a parameter', async () => {
    const { libvirt, daemon } = context;
    const file = join(daemon.imagesPath, 'saved-params');
    const dom = await startDomain(libvirt, { name: 'saved-params' });
    await libvirt.call('domainSaveParams', { dom, params: { file } });
    expect(readFileSync(file).subarray(0, 15).toString()).toBe('LibvirtQemudSave'.slice(0, 15));
    await libvirt.call('domainRestoreParams', { params: { file } });
    await destroy((await libvirt.call('domainLookupByName', { name: 'saved-params' })).dom);
  });
});
