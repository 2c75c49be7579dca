import { describe, expect, it } from 'vitest';
import { hostCpu, versionText } from '../../../src/agent/host-report/capabilities.ts';

const node = { nodes: 2, sockets: 1, cores: 8, threads: 2 };
const capabilities = (cpu: string) => `<capabilities><host><uuid>u</uuid><cpu>${cpu}</cpu></host></capabilities>`;

describe('hostCpu', () => {
  it('reads model, vendor and topology; dies count as cores', () => {
    const cpu = `<arch>x86_64</arch><model>EPYC-Rome</model><vendor>AMD</vendor>
      <topology sockets='2' dies='2' cores='16' threads='2'/><feature name='x2apic'/>`;
    expect(hostCpu(capabilities(cpu), node)).toEqual({
      model: 'EPYC-Rome',
      vendor: 'AMD',
      sockets: 2,
      coresPerSocket: 32,
      threadsPerCore: 2,
    });
  });

  it('takes the node info where libvirt gives no topology', () => {
    expect(hostCpu(capabilities('<arch>aarch64</arch>'), node)).toEqual({
      model: '',
      vendor: '',
      sockets: 2,
      coresPerSocket: 8,
      threadsPerCore: 2,
    });
  });

  it('never reports less than one of each', () => {
    const none = { nodes: 0, sockets: 0, cores: 0, threads: 0 };
    expect(hostCpu(capabilities("<topology sockets='0' cores='x' threads=''/>"), none)).toMatchObject({
      sockets: 1,
      coresPerSocket: 1,
      threadsPerCore: 1,
    });
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
