import { beforeAll, describe, expect, it } from 'vitest';
import { CPU_LEVELS } from '../../../src/api/common/cpu-levels.ts';
import { type BaselineHost, decideBaseline } from '../../../src/core/imc/baseline.ts';
import { readCpu } from '../../../src/core/model/read-host.ts';
import { childrenNamed } from '../../../src/domain/xml/element.ts';
import { parseXml } from '../../../src/domain/xml/parse.ts';
import { BaselineCpu, isLibvirtError } from '../../../src/libvirt/index.ts';
import { hostObject } from '../../builders/migration.ts';
import { RECORDED_CPUS, type RecordedCpu } from '../../builders/recorded-cpus.ts';
import { useLibvirt } from './context.ts';

const context = useLibvirt();
type CpuName = keyof typeof RECORDED_CPUS;

/** The features of each level that this libvirt knows, as libvirt itself expands its model. */
const levels = new Map<string, readonly string[]>();

beforeAll(async () => {
  for (const { name } of CPU_LEVELS) {
    const features = await expand(name);
    if (features !== undefined) levels.set(name, features);
  }
  expect(levels.size).toBeGreaterThan(20);
});

/** All features of a model. Undefined: this libvirt does not know it. */
async function expand(model: string): Promise<string[] | undefined> {
  const xmlCpus = [`<cpu><arch>x86_64</arch><model>${model}</model></cpu>`];
  try {
    const flags = BaselineCpu.EXPAND_FEATURES;
    const { cpu } = await context.libvirt.call('connectBaselineCpu', { xmlCpus, flags });
    return childrenNamed(parseXml(cpu), 'feature').flatMap(({ attributes }) =>
      attributes['policy'] === 'require' ? (attributes['name'] ?? []) : [],
    );
  } catch (error) {
    if (isLibvirtError(error)) return undefined;
    throw error;
  }
}

/** A host with that CPU and KVM, by the rule by which libvirt calls a model usable: the CPU has all of its features. */
async function hostWith(name: CpuName): Promise<BaselineHost> {
  const cpu: RecordedCpu = RECORDED_CPUS[name];
  const features = new Set([...((await expand(cpu.model)) ?? []), ...cpu.adds]);
  for (const feature of cpu.lacks) features.delete(feature);
  const judged = [...levels].map(([level, needed]) => ({
    name: level,
    missingFeatures: needed.filter((feature) => !features.has(feature)).toSorted(),
  }));
  const { status } = hostObject(name, {
    virtualization: 'kvm',
    cpu: {
      model: cpu.model,
      vendor: cpu.vendor,
      sockets: 1,
      coresPerSocket: 1,
      threadsPerCore: 1,
      usableModels: ['qemu64', ...judged.flatMap((level) => (level.missingFeatures.length === 0 ? [level.name] : []))],
      features: [...features].toSorted(),
      unusableLevels: judged.filter(({ missingFeatures }) => missingFeatures.length > 0),
    },
  });
  return { name, ...readCpu(status) };
}

async function baselineOf(names: readonly CpuName[], wanted: 'Auto' | { level: string } = 'Auto') {
  return decideBaseline({ wanted, current: undefined, placed: [], hosts: await Promise.all(names.map(hostWith)) });
}

describe('the baseline of real CPUs', () => {
  it.each<[CpuName, string]>([
    ['Xeon W3520', 'Nehalem'],
    ['Xeon E5-2650', 'SandyBridge-IBRS'],
    ['Xeon E5-2609 v3', 'Haswell-noTSX-IBRS'],
    ['Xeon E5-2650 v4', 'Broadwell-noTSX'],
    // Its firmware hid clwb, so libvirt itself takes it for the client.
    ['Xeon Gold 6148', 'Skylake-Client'],
    ['Xeon Platinum 8268', 'Cascadelake-Server-noTSX'],
    ['Ice Lake Server', 'Icelake-Server-noTSX'],
    ['Opteron 6234', 'Opteron_G4'],
    ['EPYC 7502', 'EPYC-Rome'],
  ])('of hosts that all have %s is %s', async (name, level) => {
    expect(await baselineOf([name, name])).toEqual({ ok: true, level, blocked: [] });
  });

  it.each<[CpuName[], string]>([
    [['Xeon Platinum 8268', 'Ice Lake Server'], 'Cascadelake-Server-noTSX'],
    [['Xeon E5-2609 v3', 'Ice Lake Server'], 'Haswell-noTSX-IBRS'],
    // The older one has mitigations and the newer has none: what both have.
    [['Xeon E5-2609 v3', 'Xeon Gold 6148'], 'Haswell-noTSX'],
    [['Xeon W3520', 'Xeon E5-2650', 'Xeon Platinum 8268'], 'Nehalem'],
  ])('of %j is %s', async (names, level) => {
    expect(await baselineOf(names)).toEqual({ ok: true, level, blocked: [] });
  });

  it('is none for two vendors, nor for a CPU that lacks a part of every level', async () => {
    expect(await baselineOf(['Ice Lake Server', 'EPYC 7502'])).toMatchObject({ ok: false, reason: 'NoCommonLevel' });
    expect(await baselineOf(['EPYC 7601'])).toMatchObject({
      ok: false,
      message: 'there is no level that all hosts can present; the newest of each is EPYC 7601: none',
    });
  });

  it('keeps out hosts that lack a feature of it, and names the features', async () => {
    const hosts: CpuName[] = ['EPYC 7601', 'EPYC 7502', 'Xeon W3520'];
    const decided = await baselineOf(hosts, { level: 'EPYC-IBPB' });
    expect(decided).toMatchObject({
      ok: true,
      level: 'EPYC-IBPB',
      blocked: [
        { host: 'EPYC 7601', best: undefined, missing: ['rdtscp'] },
        { host: 'Xeon W3520', best: 'Nehalem' },
      ],
    });
    const missing = decided.ok ? decided.blocked[1]?.missing : [];
    expect(missing).toEqual(expect.arrayContaining(['aes', 'avx2', 'ibpb', 'svm']));
    expect(missing).not.toContain('sse4.2');
  });
});
