import { shortList } from '../../model/short-list.ts';
import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

/**
 * The host must be able to present the CPU model that the guest is to see, and to give it every CPU feature that it has seen.
 * Of a host that has not told of its features nothing is known against it: libvirt asks again before a VM moves.
 */
export const cpuModel: Filter = ({ cpuModel: model, cpuFeatures: needed }) => {
  if (model === undefined && needed === undefined) return undefined;
  return ({ cpuModels, cpuFeatures, missingCpuFeatures }) => {
    if (model !== undefined && !cpuModels.has(model)) {
      return obstacle('CPUNotCompatible', { model, missing: missingCpuFeatures.get(model) ?? [] }, sayModel);
    }
    const missing = cpuFeatures === undefined ? [] : (needed ?? []).filter((feature) => !cpuFeatures.has(feature));
    return missing.length === 0 ? undefined : obstacle('CPUNotCompatible', { missing }, sayFeatures);
  };
};

const ADVICE = 'a CPU baseline (spec.imc of the Cluster) makes VMs movable between CPUs';

const sayModel = ({ model, missing }: { model: string; missing: readonly string[] }) =>
  `its CPU cannot present ${model}${missing.length === 0 ? '' : `: it lacks ${shortList(missing)}`}; ${ADVICE}`;

const sayFeatures = ({ missing }: { missing: readonly string[] }) =>
  `its CPU lacks ${shortList(missing)}, which the guest has seen; ${ADVICE}, after a power cycle`;
