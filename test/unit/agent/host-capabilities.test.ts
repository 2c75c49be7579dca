import { describe, expect, it } from 'vitest';
import { hostCpu, numaCells, versionText } from '../../../src/agent/host-report/capabilities.ts';
import { cpuModes } from '../../../src/agent/host-report/guest-cpu.ts';

const node = { nodes: 2, sockets: 1, cores: 8, threads: 2 };
const none = { usableModels: [], features: [], unusableLevels: [] };
const capabilities = (cpu: string) => `<capabilities><host><uuid>u</uuid><cpu>${cpu}</cpu></host></capabilities>`;

describe('hostCpu', () => {
  it('reads model, vendor and topology; dies count as cores', () => {
    const cpu = `<arch>x86_64</arch><model>EPYC-Rome</model><vendor>AMD</vendor>
      <topology sockets='2' dies='2' cores='16' threads='2'/><feature name='x2apic'/>`;
    expect(hostCpu(capabilities(cpu), node, { ...none, usableModels: ['EPYC', 'kvm64'] })).toEqual({
      model: 'EPYC-Rome',
      vendor: 'AMD',
      sockets: 2,
      coresPerSocket: 32,
      threadsPerCore: 2,
      usableModels: ['EPYC', 'kvm64'],
      features: [],
      unusableLevels: [],
    });
  });

  it('takes the node info where libvirt gives no topology', () => {
    expect(hostCpu(capabilities('<arch>aarch64</arch>'), node, none)).toEqual({
      model: '',
      vendor: '',
      sockets: 2,
      coresPerSocket: 8,
      threadsPerCore: 2,
      ...none,
    });
  });

  it('never reports less than one of each', () => {
    const nothing = { nodes: 0, sockets: 0, cores: 0, threads: 0 };
    expect(hostCpu(capabilities("<topology sockets='0' cores='x' threads=''/>"), nothing, none)).toMatchObject({
      sockets: 1,
      coresPerSocket: 1,
      threadsPerCore: 1,
    });
  });
});

describe('cpuModes', () => {
  it('are the models of mode custom, usable or not, and what makes up the CPU of mode host-model', () => {
    const xml = `<domainCapabilities><cpu>
      <mode name='host-model' supported='yes'><model fallback='forbid'>EPYC</model></mode>
      <mode name='custom' supported='yes'>
        <model usable='yes' vendor='Intel'>Westmere</model>
        <model usable='no' vendor='Intel'>Haswell</model>
        <model usable='unknown'>odd</model>
        <model usable='yes' vendor='Intel'>Nehalem</model>
        <model usable='yes' vendor='Intel' canonical='x'>Nehalem</model>
      </mode></cpu></domainCapabilities>`;
    const { models, hostModel } = cpuModes(xml);
    expect([...models]).toEqual([
      ['Westmere', true],
      ['Haswell', false],
      ['odd', false],
      ['Nehalem', true],
    ]);
    expect(hostModel?.map(({ name, text }) => [name, text])).toEqual([['model', 'EPYC']]);
  });

  it('are none where libvirt tells of none', () => {
    expect(cpuModes('<domainCapabilities/>')).toEqual({ hostModel: undefined, models: new Map() });
    const xml = "<domainCapabilities><cpu><mode name='host-model' supported='no'/></cpu></domainCapabilities>";
    expect(cpuModes(xml).hostModel).toBeUndefined();
  });
});

describe('numaCells', () => {
  const cell = (id: number, cpus: number, kib: number) =>
    `<cell id='${id}'><memory unit='KiB'>${kib}</memory><pages size='4'>1</pages><cpus num='${cpus}'><cpu id='0'/></cpus></cell>`;
  const host = (cells: string) =>
    `<capabilities><host><topology><cells>${cells}</cells></topology></host></capabilities>`;

  it('reads threads and memory of each cell, by id', () => {
    expect(numaCells(host(cell(1, 8, 2048) + cell(0, 16, 1024)))).toEqual([
      { id: 0, threads: 16, memoryBytes: 2 ** 20 },
      { id: 1, threads: 8, memoryBytes: 2 ** 21 },
    ]);
  });

  it('takes a cell without processors for what it is: memory alone', () => {
    expect(numaCells(host("<cell id='2'><memory>4</memory></cell>"))).toEqual([
      { id: 2, threads: 0, memoryBytes: 4096 },
    ]);
  });

  it('tells of none where libvirt does not', () => {
    expect(numaCells('<capabilities><host/></capabilities>')).toEqual([]);
    expect(numaCells(host("<cell id='x'/><cell id='0'/>"))).toEqual([]);
  });
});

describe('versionText', () => {
  it.each([
    [9_000_000n, '9.0.0'],
    [7_002_022, '7.2.22'],
    [10_010_001n, '10.10.1'],
  ])('unpacks %s', (packed, text) => {
    expect(versionText(packed)).toBe(text);
  });
});
