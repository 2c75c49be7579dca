import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { HostFiles } from './host-files.ts';

/**
 * Which CPU does a host of the lab have? All of them share the machine's, and emulate guests (TCG) with all that QEMU can
 * emulate. A host with an older CPU gets a QEMU of its own, a copy that has unlearnt the newer features: it says so to libvirt,
 * refuses them to guests, and a guest that was started with them cannot go on there, just as on an older machine.
 */
export const LAB_CPUS = {
  /** All that QEMU can emulate, also where the other hosts have KVM. */
  Emulated: [],
  /** Intel's of 2008: all of Nehalem, and nothing that came later. */
  Nehalem: [
    { leaf: 1, subleaf: undefined, register: 'ecx', without: bits(1, 12, 22, 25, 26, 28, 29, 30) },
    { leaf: 7, subleaf: 0, register: 'ebx', without: 0xffff_ffff },
  ],
} as const satisfies Record<string, readonly CpuidWord[]>;

export type LabCpu = keyof typeof LAB_CPUS;

/** Features of one register that CPUID answers with, and which of them the CPU lacks. Source of the bits: Intel SDM, CPUID. */
interface CpuidWord {
  readonly leaf: number;
  /** Undefined: the leaf has none. */
  readonly subleaf: number | undefined;
  readonly register: keyof typeof REGISTERS;
  readonly without: number;
}

/** QEMU's numbers of registers. */
const REGISTERS = { eax: 0, ecx: 1, edx: 2, ebx: 3 } as const;
/** Where every host of the lab finds QEMU. */
export const QEMU_PROGRAM = 'usr/bin/qemu-system-x86_64';

/** Gives the host that CPU, from its next power-on. Absent: what the machine has. */
export function setLabCpu({ root }: HostFiles, cpu: LabCpu | undefined): void {
  const program = join(root, QEMU_PROGRAM);
  if (cpu === undefined) {
    rmSync(program, { force: true });
    return;
  }
  mkdirSync(dirname(program), { recursive: true });
  const draft = `${program}.draft`;
  writeFileSync(draft, withoutFeatures(readFileSync(realpathSync(`/${QEMU_PROGRAM}`)), LAB_CPUS[cpu]));
  chmodSync(draft, 0o755);
  renameSync(draft, program);
}

/** Whether it has a CPU of its own, which KVM could not give to its guests. */
export function hasLabCpu({ root }: HostFiles): boolean {
  return existsSync(join(root, QEMU_PROGRAM));
}

/**
 * The program with features taken out of its table of what TCG emulates. An entry of that table holds, as 32-bit numbers, leaf,
 * whether there is a subleaf, subleaf and register, and then the emulated features as a 64-bit number (QEMU: FeatureWordInfo).
 * @throws Error when it has no such table, as after a change of QEMU's
 */
export function withoutFeatures(program: Buffer, words: readonly CpuidWord[]): Buffer {
  const changed = Buffer.from(program);
  for (const { leaf, subleaf, register, without } of words) {
    const key = Buffer.alloc(16);
    const entry = [leaf, subleaf === undefined ? 0 : 1, subleaf ?? 0, REGISTERS[register]];
    for (const [place, value] of entry.entries()) key.writeUInt32LE(value, place * 4);
    const places = placesOf(changed, key);
    const [place] = places;
    if (place === undefined || places.length > 1) {
      throw new Error(
        `QEMU's table of emulated CPU features has ${places.length} entries for CPUID leaf ${leaf} ${register}; the lab cannot give a host an older CPU`,
      );
    }
    changed.writeUInt32LE((changed.readUInt32LE(place) & ~without) >>> 0, place);
  }
  return changed;
}

/** Where the features of such entries stand. The same numbers elsewhere are not followed by a set of features. */
function placesOf(program: Buffer, key: Buffer): number[] {
  const places: number[] = [];
  for (let at = program.indexOf(key); at >= 0; at = program.indexOf(key, at + 1)) {
    const features = at + key.length;
    const isSet = bitCount(program.readUInt32LE(features)) >= FEWEST && program.readUInt32LE(features + 4) === 0;
    if (isSet && at % 8 === 0) places.push(features);
  }
  return places;
}

/** Fewer features than this, and it is some other table. */
const FEWEST = 5;

function bitCount(value: number): number {
  return value.toString(2).replaceAll('0', '').length;
}

function bits(...places: readonly number[]): number {
  return places.reduce((sum, place) => sum + 2 ** place, 0);
}
