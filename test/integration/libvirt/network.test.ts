import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isLibvirtError, SecretUsage } from '../../../src/libvirt/index.ts';
import { useLibvirt } from './context.ts';

const context = useLibvirt();

describe('networks', () => {
  it('are made, found, described and removed', async () => {
    const { libvirt } = context;
    // Handing guests to a bridge that someone else made needs nothing of the host.
    const xml = "<network><name>lan</name><forward mode='bridge'/><bridge name='br-none'/></network>";
    const { net } = await libvirt.call('networkCreateXml', { xml });
    expect(await libvirt.call('networkLookupByName', { name: 'lan' })).toEqual({ net });
    expect(await libvirt.call('networkLookupByUuid', { uuid: net.uuid })).toEqual({ net });
    expect((await libvirt.call('connectListAllNetworks')).nets).toEqual([net]);
    expect(await libvirt.call('networkGetBridgeName', { net })).toEqual({ name: 'br-none' });
    expect((await libvirt.call('networkGetXmlDesc', { net })).xml).toMatch(/<bridge name='br-none'\/>/);
    expect(await libvirt.call('networkIsActive', { net })).toEqual({ active: true });
    expect(await libvirt.call('networkIsPersistent', { net })).toEqual({ persistent: false });
    expect(await libvirt.call('networkGetDhcpLeases', { net })).toEqual({ leases: [], ret: 0 });
    await libvirt.call('networkDestroy', { net });
    const gone = libvirt.call('networkLookupByName', { name: 'lan' });
    await expect(gone).rejects.toSatisfy((error: unknown) => isLibvirtError(error, 'NO_NETWORK'));
  });
});

describe('secrets', () => {
  it('keep a value of any bytes until they are removed', async () => {
    const { libvirt } = context;
    const xml = "<secret ephemeral='yes' private='no'><usage type='volume'><volume>/disk</volume></usage></secret>";
    const { secret } = await libvirt.call('secretDefineXml', { xml });
    expect(secret).toMatchObject({ usageType: SecretUsage.VOLUME, usageId: '/disk' });
    const value = randomBytes(100);
    await libvirt.call('secretSetValue', { secret, value });
    expect(Buffer.from((await libvirt.call('secretGetValue', { secret })).value).equals(value)).toBe(true);
    const usage = { usageType: SecretUsage.VOLUME, usageId: '/disk' };
    expect(await libvirt.call('secretLookupByUsage', usage)).toEqual({ secret });
    await libvirt.call('secretUndefine', { secret });
    expect(await libvirt.call('connectListAllSecrets')).toEqual({ secrets: [], ret: 0 });
  });
});
