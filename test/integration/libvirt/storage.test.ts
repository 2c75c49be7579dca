import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  downloadVolume,
  isLibvirtError,
  LibvirtError,
  type PoolRef,
  StoragePoolState,
  StorageVolDownload,
  StorageVolUpload,
  uploadVolume,
  type VolumeRef,
} from '../../../src/libvirt/index.ts';
import { useLibvirt } from './context.ts';

const context = useLibvirt();

async function startPool(name: string): Promise<PoolRef> {
  const path = join(context.daemon.root, name);
  mkdirSync(path);
  const xml = `<pool type='dir'><name>${name}</name><target><path>${path}</path></target></pool>`;
  return (await context.libvirt.call('storagePoolCreateXml', { xml })).pool;
}

async function makeVolume(pool: PoolRef, name: string, capacityBytes: number, format = 'raw'): Promise<VolumeRef> {
  const xml = `<volume><name>${name}</name><capacity>${capacityBytes}</capacity><allocation>0</allocation><target><format type='${format}'/></target></volume>`;
  return (await context.libvirt.call('storageVolCreateXml', { pool, xml })).vol;
}

function checksum(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

async function download(vol: VolumeRef): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of downloadVolume(context.libvirt, { vol, offset: 0, length: 0 })) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe('storage', () => {
  it('pools come and go', async () => {
    const { libvirt } = context;
    const pool = await startPool('coming');
    expect(await libvirt.call('storagePoolLookupByName', { name: 'coming' })).toEqual({ pool });
    const info = await libvirt.call('storagePoolGetInfo', { pool });
    expect(info.state).toBe(StoragePoolState.RUNNING);
    expect(info.capacity).toBe(info.allocation + info.available);
    await libvirt.call('storagePoolRefresh', { pool });
    expect((await libvirt.call('connectListAllStoragePools')).pools).toContainEqual(pool);
    await libvirt.call('storagePoolDestroy', { pool });
    const gone = libvirt.call('storagePoolLookupByUuid', { uuid: pool.uuid });
    await expect(gone).rejects.toSatisfy((error: unknown) => isLibvirtError(error, 'NO_STORAGE_POOL'));
  });

  it('volumes are made, found, grown, cloned, wiped and deleted', async () => {
    const { libvirt } = context;
    const pool = await startPool('volumes');
    const vol = await makeVolume(pool, 'a.qcow2', 1_048_576, 'qcow2');
    expect(await libvirt.call('storageVolLookupByName', { pool, name: 'a.qcow2' })).toEqual({ vol });
    expect(await libvirt.call('storageVolLookupByPath', { path: vol.key })).toEqual({ vol });
    expect(await libvirt.call('storageVolGetPath', { vol })).toEqual({ name: vol.key });
    await libvirt.call('storageVolResize', { vol, capacity: 2_097_152 });
    expect(await libvirt.call('storageVolGetInfo', { vol })).toMatchObject({ type: 0, capacity: 2_097_152n });
    const xml = "<volume><name>b.qcow2</name><capacity>0</capacity><target><format type='qcow2'/></target></volume>";
    const clone = await libvirt.call('storageVolCreateXmlFrom', { pool, xml, cloneVol: vol });
    const { vols } = await libvirt.call('storagePoolListAllVolumes', { pool });
    expect(vols.map(({ name }) => name).toSorted()).toEqual(['a.qcow2', 'b.qcow2']);
    await libvirt.call('storageVolWipePattern', { vol: clone.vol, algorithm: 0 });
    await libvirt.call('storageVolDelete', { vol: clone.vol });
    const gone = libvirt.call('storageVolGetInfo', { vol: clone.vol });
    await expect(gone).rejects.toSatisfy((error: unknown) => isLibvirtError(error, 'NO_STORAGE_VOL'));
  });

  it('data goes up and comes down unchanged', async () => {
    const { libvirt } = context;
    const pool = await startPool('transfer');
    // Not a multiple of the size of a piece.
    const data = randomBytes(20 * 1_048_576 + 12_345);
    const vol = await makeVolume(pool, 'random.raw', data.length);
    await uploadVolume(libvirt, { vol, offset: 0, length: 0 }, slices(data, 700_001));
    expect(checksum(readFileSync(vol.key))).toBe(checksum(data));
    expect(checksum(await download(vol))).toBe(checksum(data));
  });

  it('holes stay holes', async () => {
    const { libvirt } = context;
    const pool = await startPool('sparse');
    const size = 64 * 1_048_576;
    const source = await makeVolume(pool, 'source.raw', size);
    const target = await makeVolume(pool, 'target.raw', size);
    const head = randomBytes(65_536);
    await uploadVolume(libvirt, { vol: source, offset: 0, length: head.length }, [head]);
    const from = await libvirt.stream('storageVolDownload', {
      vol: source,
      offset: 0,
      length: 0,
      flags: StorageVolDownload.SPARSE_STREAM,
    });
    const to = await libvirt.stream('storageVolUpload', {
      vol: target,
      offset: 0,
      length: 0,
      flags: StorageVolUpload.SPARSE_STREAM,
    });
    let holes = 0;
    for await (const chunk of from.chunks()) {
      if ('holeBytes' in chunk) holes += chunk.holeBytes;
      await ('holeBytes' in chunk ? to.skip(chunk.holeBytes) : to.write(chunk));
    }
    await to.finish();
    expect(holes).toBe(size - head.length);
    expect(checksum(readFileSync(target.key))).toBe(checksum(readFileSync(source.key)));
    expect(statSync(target.key).blocks * 512).toBeLessThan(1_048_576);
  });

  it('an upload that does not fit fails with libvirt’s reason', async () => {
    const { libvirt } = context;
    const pool = await startPool('small');
    const vol = await makeVolume(pool, 'small.raw', 1_000_000);
    const upload = uploadVolume(
      libvirt,
      { vol, offset: 0, length: 1_000_000 },
      slices(randomBytes(4_000_000), 500_000),
    );
    await expect(upload).rejects.toBeInstanceOf(LibvirtError);
  });

  it('a download that is left early leaves the daemon free for the next', async () => {
    const { libvirt } = context;
    const pool = await startPool('early');
    const data = randomBytes(8 * 1_048_576);
    const vol = await makeVolume(pool, 'early.raw', data.length);
    await uploadVolume(libvirt, { vol, offset: 0, length: 0 }, [data]);
    for (let round = 0; round < 5; round++) {
      for await (const piece of downloadVolume(libvirt, { vol, offset: 0, length: 0 })) {
        expect(piece.length).toBeGreaterThan(0);
        break;
      }
    }
    expect(checksum(await download(vol))).toBe(checksum(data));
  });
});

function* slices(data: Buffer, size: number): Generator<Buffer> {
  for (let offset = 0; offset < data.length; offset += size) yield data.subarray(offset, offset + size);
}
