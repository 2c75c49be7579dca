import { expect, it } from 'vitest';
import { GuestCpus } from '../../../src/agent/host-report/guest-cpu.ts';
import type { Libvirt } from '../../../src/libvirt/index.ts';

const CAPABILITIES = `<domainCapabilities><cpu>
  <mode name='host-model' supported='yes'><model fallback='forbid'>Nehalem</model></mode>
  <mode name='custom' supported='yes'><model usable='yes'>Nehalem</model><model usable='no'>Westmere</model></mode>
</cpu></domainCapabilities>`;
const cpu = (...names: string[]) =>
  `<cpu>${names.map((name) => `<feature policy='require' name='${name}'/>`).join('')}</cpu>`;
const ANSWERS: Readonly<Record<string, object>> = {
  connectGetDomainCapabilities: { capabilities: CAPABILITIES },
  connectBaselineHypervisorCpu: { cpu: cpu('lm', 'sse4.2') },
  connectBaselineCpu: { cpu: cpu('aes', 'lm', 'sse4.2') },
};

it('asks libvirt once, however many VMs start at once, and again only for what has changed', async () => {
  const calls: string[] = [];
  const call = (name: string) => {
    calls.push(name);
    return Promise.resolve(ANSWERS[name]);
  };
  const guestCpus = new GuestCpus({ call } as unknown as Libvirt, 'qemu');
  const asked = await Promise.all([guestCpus.features(), guestCpus.features(), guestCpus.features()]);
  expect(asked).toEqual([
    ['lm', 'sse4.2'],
    ['lm', 'sse4.2'],
    ['lm', 'sse4.2'],
  ]);
  expect(calls).toEqual(['connectGetDomainCapabilities', 'connectBaselineHypervisorCpu', 'connectBaselineCpu']);
  expect(await guestCpus.look()).toEqual({
    usableModels: ['Nehalem'],
    features: ['lm', 'sse4.2'],
    unusableLevels: [{ name: 'Westmere', missingFeatures: ['aes'] }],
  });
  expect(calls).toHaveLength(4);
});
