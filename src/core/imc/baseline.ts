import { CPU_LEVELS, type CpuLevel } from '../../api/common/cpu-levels.ts';
import { byName } from '../model/order.ts';
import { compareLevels, isWithin, levelNamed } from './levels.ts';

/** What the CPU baseline of a Cluster is made from. FusionCompute: IMC, vSphere: EVC. */
export interface BaselineInput {
  /** Auto: the newest level that all hosts can present. Otherwise the name of the level that is asked for. */
  readonly wanted: 'Auto' | { readonly level: string };
  /** Level in effect so far. Undefined: none. */
  readonly current: string | undefined;
  /** Hosts of the Cluster. */
  readonly hosts: readonly BaselineHost[];
  /** VMs that are placed, with the CPU model that they were placed with. Undefined: that of their host. */
  readonly placed: readonly { readonly name: string; readonly cpuModel: string | undefined }[];
}

export interface BaselineHost {
  readonly name: string;
  /** CPU models that it can present. Undefined: it has not told yet. */
  readonly cpuModels: ReadonlySet<string> | undefined;
  /** What it lacks, by CPU model that it cannot present; a model is absent where that is not known. */
  readonly missingCpuFeatures: ReadonlyMap<string, readonly string[]>;
}

/** A host that cannot present the level; it is given no VMs. */
export interface BlockedHost {
  readonly host: string;
  /** Newest level that it can present. Undefined: none. */
  readonly best: string | undefined;
  /** CPU features of the level that it lacks, sorted. Empty: not known. */
  readonly missing: readonly string[];
}

export type Baseline =
  | { readonly ok: false; readonly reason: 'NoHostReported' | 'NoCommonLevel'; readonly message: string }
  | {
      readonly ok: true;
      /** The level in effect. */
      readonly level: string;
      readonly blocked: readonly BlockedHost[];
      /** A level that would be lower than what these VMs run with; it waits until they are off. */
      readonly refused?: { readonly level: string; readonly virtualMachines: readonly string[] };
    };

/**
 * The level that a Cluster's VMs are started with. A higher one reaches a VM at its next power cycle; one that is lower than
 * what a placed VM was given is not taken, since that VM could run on no host of it.
 */
export function decideBaseline(input: BaselineInput): Baseline {
  const hosts = input.hosts.toSorted(byName);
  const target = input.wanted === 'Auto' ? commonLevel(hosts) : levelNamed(input.wanted.level);
  const current = input.current === undefined ? undefined : levelNamed(input.current);
  const above = target === undefined ? [] : vmsAbove(target, input.placed);
  // What is higher is always taken; a first level, too: VMs placed before it run with their host's CPU and are told to restart.
  const isLower = current !== undefined && (target === undefined || !isWithin(current, target));
  if (target === undefined) {
    return current === undefined || vmsWith(current, input.placed).length === 0
      ? noLevel(hosts)
      : inEffect(current, hosts);
  }
  if (!isLower || above.length === 0) return inEffect(target, hosts);
  return { ...inEffect(current, hosts), refused: { level: target.name, virtualMachines: above } };
}

function inEffect(level: CpuLevel, hosts: readonly BaselineHost[]): Extract<Baseline, { ok: true }> {
  const blocked = hosts
    .filter(({ cpuModels }) => cpuModels !== undefined && !cpuModels.has(level.name))
    .map(({ name, cpuModels, missingCpuFeatures }) => ({
      host: name,
      best: newest(levelsOf(cpuModels))?.name,
      missing: missingCpuFeatures.get(level.name) ?? [],
    }));
  return { ok: true, level: level.name, blocked };
}

/** The newest level that all hosts can present that have told of theirs. */
function commonLevel(hosts: readonly BaselineHost[]): CpuLevel | undefined {
  const told = hosts.flatMap(({ cpuModels }) => cpuModels ?? []);
  if (told.length === 0) return undefined;
  return newest(CPU_LEVELS.filter(({ name }) => told.every((models) => models.has(name))));
}

function levelsOf(cpuModels: ReadonlySet<string> | undefined): CpuLevel[] {
  return CPU_LEVELS.filter(({ name }) => cpuModels?.has(name) ?? false);
}

function newest(levels: readonly CpuLevel[]): CpuLevel | undefined {
  return levels.toSorted(compareLevels).at(-1);
}

/** Placed VMs, by name, that have a level which is not within this one. VMs with their host's CPU are not bound to any. */
function vmsAbove(level: CpuLevel, placed: BaselineInput['placed']): string[] {
  return placed
    .filter(({ cpuModel }) => {
      const own = cpuModel === undefined ? undefined : levelNamed(cpuModel);
      return own !== undefined && !isWithin(own, level);
    })
    .map(({ name }) => name)
    .toSorted();
}

function vmsWith(level: CpuLevel, placed: BaselineInput['placed']): string[] {
  return placed.filter(({ cpuModel }) => cpuModel === level.name).map(({ name }) => name);
}

function noLevel(hosts: readonly BaselineHost[]): Baseline {
  const told = hosts.filter(({ cpuModels }) => cpuModels !== undefined);
  if (told.length === 0) {
    return { ok: false, reason: 'NoHostReported', message: 'no host has told yet which CPU models it can present' };
  }
  const best = told.map(({ name, cpuModels }) => `${name}: ${newest(levelsOf(cpuModels))?.name ?? 'none'}`);
  return {
    ok: false,
    reason: 'NoCommonLevel',
    message: `there is no level that all hosts can present; the newest of each is ${best.join(', ')}`,
  };
}
