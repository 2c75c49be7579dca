import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

/** The host must be able to present the CPU model that the guest is to see. */
export const cpuModel: Filter = ({ cpuModel: model }) => {
  if (model === undefined) return undefined;
  const incompatible = obstacle('CPUNotCompatible', { model }, say);
  return (host) => (host.cpuModels.has(model) ? undefined : incompatible);
};

const say = ({ model }: { model: string }) =>
  `its CPU cannot present ${model}; a CPU baseline (spec.imc of the Cluster) makes VMs movable between CPUs`;
