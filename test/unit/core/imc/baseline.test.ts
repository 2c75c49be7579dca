import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CPU_LEVELS } from '../../../../src/api/common/cpu-levels.ts';
import { type BaselineInput, decideBaseline } from '../../../../src/core/imc/baseline.ts';
import { compareLevels, isWithin, levelNamed } from '../../../../src/core/imc/levels.ts';

/** What libvirt says of hosts of these generations that it can present; the names of the CPUs are those of the machines. */
const CPUS = {
  nehalem: ['Nehalem', 'Penryn', 'Conroe', 'qemu64'],
  westmere: ['Nehalem', 'Nehalem-IBRS', 'Westmere', 'Westmere-IBRS', 'qemu64'],
  haswell: [
    ...['Nehalem', 'Nehalem-IBRS', 'Westmere', 'Westmere-IBRS', 'SandyBridge', 'SandyBridge-IBRS'],
    ...['IvyBridge', 'IvyBridge-IBRS', 'Haswell-noTSX', 'Haswell-noTSX-IBRS', 'qemu64'],
  ],
  // Newer machines without TSX cannot present the plain Skylake models, which have it.
  icelake: [
    ...['Nehalem', 'Nehalem-IBRS', 'Westmere', 'Westmere-IBRS', 'SandyBridge', 'SandyBridge-IBRS', 'IvyBridge'],
    ...['IvyBridge-IBRS', 'Haswell-noTSX', 'Haswell-noTSX-IBRS', 'Broadwell-noTSX', 'Broadwell-noTSX-IBRS'],
    ...['Skylake-Client-noTSX-IBRS', 'Skylake-Server-noTSX-IBRS', 'Cascadelake-Server-noTSX', 'Icelake-Server-noTSX'],
  ],
  epyc: ['EPYC', 'EPYC-IBPB', 'qemu64'],
  milan: ['EPYC', 'EPYC-IBPB', 'EPYC-Rome', 'EPYC-Milan', 'qemu64'],
} as const;

function decide(cpus: Readonly<Record<string, keyof typeof CPUS | undefined>>, given: Partial<BaselineInput> = {}) {
  const hosts = Object.entries(cpus).map(([name, cpu]) => ({
    name,
    cpuModels: cpu && new Set<string>(CPUS[cpu]),
    missingCpuFeatures: new Map([['Haswell-noTSX-IBRS', ['avx2', 'spec-ctrl']]]),
  }));
  return decideBaseline({ wanted: 'Auto', current: undefined, placed: [], ...given, hosts });
}
const vm = (name: string, cpuModel?: string) => ({ name, cpuModel });

describe('the automatic baseline', () => {
  it.each([
    [{ a: 'haswell', b: 'icelake' }, 'Haswell-noTSX-IBRS'],
    [{ a: 'icelake', b: 'icelake' }, 'Icelake-Server-noTSX'],
    [{ a: 'nehalem', b: 'icelake' }, 'Nehalem'],
    [{ a: 'epyc', b: 'milan' }, 'EPYC-IBPB'],
    [{ a: 'haswell', b: undefined }, 'Haswell-noTSX-IBRS'],
  ] as const)('of %o is %s', (cpus, level) => {
    expect(decide(cpus)).toEqual({ ok: true, level, blocked: [] });
  });

  it('is none for two vendors, and says what each could have', () => {
    expect(decide({ a: 'haswell', b: 'milan' })).toEqual({
      ok: false,
      reason: 'NoCommonLevel',
      message:
        'there is no level that all hosts can present; the newest of each is a: Haswell-noTSX-IBRS, b: EPYC-Milan',
    });
  });

  it('is none before a host has told', () => {
    expect(decide({ a: undefined })).toMatchObject({ ok: false, reason: 'NoHostReported' });
    expect(decide({})).toMatchObject({ ok: false, reason: 'NoHostReported' });
  });

  it('rises when the oldest host leaves', () => {
    const given = { current: 'Nehalem', placed: [vm('web', 'Nehalem')] };
    expect(decide({ a: 'haswell' }, given)).toEqual({ ok: true, level: 'Haswell-noTSX-IBRS', blocked: [] });
  });

  it('stays when an older host comes while VMs have more, and the host is given none', () => {
    const given = { current: 'Haswell-noTSX-IBRS', placed: [vm('web', 'Haswell-noTSX-IBRS'), vm('old', 'Nehalem')] };
    expect(decide({ a: 'haswell', b: 'westmere' }, given)).toEqual({
      ok: true,
      level: 'Haswell-noTSX-IBRS',
      blocked: [{ host: 'b', best: 'Westmere-IBRS', missing: ['avx2', 'spec-ctrl'] }],
      refused: { level: 'Westmere-IBRS', virtualMachines: ['web'] },
    });
  });

  it('falls when no VM has more', () => {
    const given = { current: 'Haswell-noTSX-IBRS', placed: [vm('old', 'Nehalem'), vm('host-cpu')] };
    expect(decide({ a: 'haswell', b: 'westmere' }, given)).toEqual({ ok: true, level: 'Westmere-IBRS', blocked: [] });
  });

  it('stays when a host of another vendor comes', () => {
    const given = { current: 'Westmere', placed: [vm('web', 'Westmere')] };
    expect(decide({ a: 'westmere', b: 'epyc' }, given)).toEqual({
      ok: true,
      level: 'Westmere',
      blocked: [{ host: 'b', best: 'EPYC-IBPB', missing: [] }],
    });
  });
});

describe('a baseline that is asked for', () => {
  const wanted = (level: string) => ({ wanted: { level } });

  it('keeps out hosts that cannot present it, and says what they can', () => {
    expect(decide({ a: 'icelake', b: 'westmere', c: 'epyc', d: undefined }, wanted('Haswell-noTSX'))).toEqual({
      ok: true,
      level: 'Haswell-noTSX',
      blocked: [
        { host: 'b', best: 'Westmere-IBRS', missing: [] },
        { host: 'c', best: 'EPYC-IBPB', missing: [] },
      ],
    });
  });

  it('is raised at once', () => {
    const given = { ...wanted('Haswell-noTSX'), current: 'Nehalem', placed: [vm('web', 'Nehalem')] };
    expect(decide({ a: 'icelake' }, given)).toMatchObject({ level: 'Haswell-noTSX', blocked: [] });
  });

  it('is not lowered below what placed VMs have, and names them', () => {
    const placed = [vm('z', 'Haswell-noTSX'), vm('a', 'Haswell-noTSX'), vm('m', 'Nehalem')];
    const given = { ...wanted('Westmere'), current: 'Haswell-noTSX', placed };
    expect(decide({ a: 'icelake' }, given)).toEqual({
      ok: true,
      level: 'Haswell-noTSX',
      blocked: [],
      refused: { level: 'Westmere', virtualMachines: ['a', 'z'] },
    });
  });

  it('without mitigations is lower than the same with them', () => {
    const given = {
      ...wanted('Haswell-noTSX'),
      current: 'Haswell-noTSX-IBRS',
      placed: [vm('a', 'Haswell-noTSX-IBRS')],
    };
    expect(decide({ a: 'icelake' }, given)).toMatchObject({ refused: { virtualMachines: ['a'] } });
  });

  it('is taken for the first time whatever VMs run with: those with the CPU of their host are told to restart', () => {
    expect(decide({ a: 'icelake' }, { ...wanted('Westmere'), placed: [vm('web')] })).toEqual({
      ok: true,
      level: 'Westmere',
      blocked: [],
    });
  });
});

const anyLevel = fc.constantFrom(...CPU_LEVELS);

describe('levels', () => {
  it('have names of their own', () => {
    expect(new Set(CPU_LEVELS.map(({ name }) => name)).size).toBe(CPU_LEVELS.length);
    expect(levelNamed('qemu64')).toBeUndefined();
  });

  it('are partly ordered: what is within what is within a third is within it, and the order of all agrees', () => {
    fc.assert(
      fc.property(anyLevel, anyLevel, anyLevel, (a, b, c) => {
        expect(isWithin(a, a)).toBe(true);
        if (isWithin(a, b) && isWithin(b, c)) expect(isWithin(a, c)).toBe(true);
        if (isWithin(a, b) && isWithin(b, a)) expect(a).toBe(b);
        if (isWithin(a, b)) expect(compareLevels(a, b)).toBeLessThanOrEqual(0);
      }),
    );
  });
});

describe('a decision, whatever the cluster', () => {
  const anyInput = fc.record({
    hosts: fc.uniqueArray(
      fc.record({
        name: fc.constantFrom('a', 'b', 'c'),
        cpuModels: fc.option(
          fc.subarray([...CPU_LEVELS]).map((levels) => new Set(levels.map(({ name }) => name))),
          { nil: undefined },
        ),
        missingCpuFeatures: fc.constant(new Map<string, string[]>()),
      }),
      { selector: ({ name }) => name },
    ),
    wanted: fc.oneof(
      fc.constant('Auto' as const),
      anyLevel.map(({ name }) => ({ level: name })),
    ),
    current: fc.option(
      anyLevel.map(({ name }) => name),
      { nil: undefined },
    ),
    placed: fc.array(
      fc.record({
        name: fc.constantFrom('x', 'y', 'z'),
        cpuModel: fc.option(
          anyLevel.map(({ name }) => name),
          { nil: undefined },
        ),
      }),
      { maxLength: 3 },
    ),
  });

  it('never goes from one level to another that a placed VM with the old one is not within', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const decided = decideBaseline(input);
        const [before, after] = [input.current ?? '', decided.ok ? decided.level : ''].map(levelNamed);
        if (before === undefined) return;
        const bound = input.placed.some(({ cpuModel }) => cpuModel === before.name);
        if (bound) expect(after !== undefined && isWithin(before, after)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('blocks exactly the hosts that have told that they cannot present it', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const decided = decideBaseline(input);
        if (!decided.ok) return;
        const unable = input.hosts.filter(({ cpuModels }) => cpuModels !== undefined && !cpuModels.has(decided.level));
        expect(decided.blocked.map(({ host }) => host)).toEqual(unable.map(({ name }) => name).toSorted());
      }),
    );
  });
});
