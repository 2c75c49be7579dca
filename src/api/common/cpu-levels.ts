import * as z from 'zod';

/** A CPU that a whole cluster can present: one of libvirt's models. */
export interface CpuLevel {
  /** libvirt's name of the model. */
  readonly name: string;
  readonly vendor: 'Intel' | 'AMD';
  /** Grows with every generation of the vendor. */
  readonly generation: number;
  /** Whether it has the CPU features by which guests mitigate Spectre. Newer generations all have. */
  readonly mitigated: boolean;
}

/**
 * The levels, oldest first. Source: oVirt's list of cluster CPU types, of which each stands for one of libvirt's models; those
 * without TSX where there are both, since TSX is off on most machines.
 */
export const CPU_LEVELS: readonly CpuLevel[] = [
  ...levels('Intel', [
    ['Nehalem', 'Nehalem-IBRS'],
    ['Westmere', 'Westmere-IBRS'],
    ['SandyBridge', 'SandyBridge-IBRS'],
    ['IvyBridge', 'IvyBridge-IBRS'],
    ['Haswell-noTSX', 'Haswell-noTSX-IBRS'],
    ['Broadwell-noTSX', 'Broadwell-noTSX-IBRS'],
    ['Skylake-Client', 'Skylake-Client-noTSX-IBRS'],
    ['Skylake-Server', 'Skylake-Server-noTSX-IBRS'],
    [undefined, 'Cascadelake-Server-noTSX'],
    [undefined, 'Icelake-Server-noTSX'],
    [undefined, 'SapphireRapids'],
  ]),
  ...levels('AMD', [
    ['Opteron_G4', undefined],
    ['Opteron_G5', undefined],
    ['EPYC', 'EPYC-IBPB'],
    [undefined, 'EPYC-Rome'],
    [undefined, 'EPYC-Milan'],
    [undefined, 'EPYC-Genoa'],
  ]),
];

/** Most CPU features that an object lists; libvirt knows some 250 of x86. */
export const MAX_CPU_FEATURES = 512;

/** Name of a level. */
export const CpuLevelName = z.enum(CPU_LEVELS.map(({ name }) => name));

function levels(
  vendor: CpuLevel['vendor'],
  generations: readonly (readonly [plain: string | undefined, mitigated: string | undefined])[],
): CpuLevel[] {
  return generations.flatMap(([plain, mitigated], generation) => [
    ...(plain === undefined ? [] : [{ name: plain, vendor, generation, mitigated: false }]),
    ...(mitigated === undefined ? [] : [{ name: mitigated, vendor, generation, mitigated: true }]),
  ]);
}
