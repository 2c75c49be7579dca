import { describe, expect, it } from 'vitest';
import { BaselineCpu, CpuCompare } from '../../../src/libvirt/index.ts';
import { useLibvirt } from './context.ts';

const context = useLibvirt();
const tcg = { arch: 'x86_64', virtType: 'qemu' };

describe('the host', () => {
  it('tells its versions, name, processors and memory', async () => {
    const { libvirt } = context;
    expect((await libvirt.call('connectGetLibVersion')).libVer).toBeGreaterThanOrEqual(8_000_000n);
    expect((await libvirt.call('connectGetVersion')).hvVer).toBeGreaterThan(1_000_000n);
    expect(await libvirt.call('connectGetType')).toEqual({ type: 'QEMU' });
    expect((await libvirt.call('connectGetHostname')).hostname).not.toBe('');
    const info = await libvirt.call('nodeGetInfo');
    expect(info).toMatchObject({ model: 'x86_64', cpus: expect.any(Number) });
    expect(info.memory).toBeGreaterThan(100_000n);
    const cpu = await libvirt.call('nodeGetCpuStats', { cpuNum: -1 });
    expect(cpu.params.map(({ field }) => field)).toEqual(['kernel', 'user', 'idle', 'iowait']);
    const memory = await libvirt.call('nodeGetMemoryStats', { cellNum: -1, nparams: 4 });
    expect(memory.params.map(({ field }) => field)).toEqual(['total', 'free', 'buffers', 'cached']);
    expect((await libvirt.call('nodeGetFreeMemory')).freeMem).toBeGreaterThan(0n);
    const { cells } = await libvirt.call('nodeGetCellsFreeMemory', { startCell: 0, maxcells: info.nodes });
    expect(cells).toHaveLength(info.nodes);
    const pages = await libvirt.call('nodeGetFreePages', { pages: [4], startCell: 0, cellCount: 1 });
    expect(pages.counts[0]).toBeGreaterThan(0n);
    const cpuMap = await libvirt.call('nodeGetCpuMap');
    expect(cpuMap.online).toBe(info.cpus);
  });

  it('tells its capabilities and those of its domains', async () => {
    const { libvirt } = context;
    expect((await libvirt.call('connectGetCapabilities')).capabilities).toMatch(/<capabilities>.*<uuid>/s);
    const { capabilities } = await libvirt.call('connectGetDomainCapabilities', { ...tcg, machine: 'q35' });
    expect(capabilities).toMatch(/<domainCapabilities>.*<mode name='host-model'/s);
    expect((await libvirt.call('connectGetCpuModelNames', { arch: 'x86_64' })).models).toContain('Nehalem');
  });

  it('finds the CPU that two hosts have in common', async () => {
    const { libvirt } = context;
    const models = ['Nehalem', 'Westmere'].map(
      (model) => `<cpu mode='custom' match='exact'><model>${model}</model></cpu>`,
    );
    const { cpu } = await libvirt.call('connectBaselineHypervisorCpu', {
      ...tcg,
      xmlCpus: models,
      flags: BaselineCpu.MIGRATABLE,
    });
    expect(cpu).toMatch(/<model[^>]*>Nehalem<\/model>/);
    const hosts = ['Nehalem', 'Westmere'].map((model) => `<cpu><arch>x86_64</arch><model>${model}</model></cpu>`);
    expect((await libvirt.call('connectBaselineCpu', { xmlCpus: hosts })).cpu).toMatch(/Nehalem/);
  });

  it('compares a CPU with what it can offer', async () => {
    const { libvirt } = context;
    const xmlCpu = "<cpu mode='custom' match='exact'><model>qemu64</model></cpu>";
    const { result } = await libvirt.call('connectCompareHypervisorCpu', { ...tcg, xmlCpu });
    expect([CpuCompare.IDENTICAL, CpuCompare.SUPERSET]).toContain(result);
  });

  it('shows and sets the knobs of memory sharing', async () => {
    const { libvirt } = context;
    const { params } = await libvirt.call('nodeGetMemoryParameters');
    const pages = params['shm_pages_to_scan'];
    if (typeof pages !== 'number') throw new Error('the kernel has no KSM');
    await libvirt.call('nodeSetMemoryParameters', { params: { shm_pages_to_scan: pages } });
  });

  it('turns domain XML into a command line', async () => {
    const { libvirt } = context;
    const domain = "<domain type='qemu'><name>n</name><memory>65536</memory><os><type>hvm</type></os></domain>";
    const native = await libvirt.call('connectDomainXmlToNative', { nativeFormat: 'qemu-argv', domainXml: domain });
    expect(native.nativeConfig).toMatch(/qemu-system-x86_64/);
  });
});
