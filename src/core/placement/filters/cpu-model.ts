import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

/** The host must be able to present the CPU model that the guest is to see. */
export const cpuModel: Filter = ({ cpuModel: model }) =>
  model === undefined
    ? undefined
    : (host) =>
        host.cpuModels.has(model)
          ? undefined
          : obstacle(
              'CPUNotCompatible',
              { model },
              () =>
                `its CPU cannot present ${model}; a CPU baseline (spec.imc of the Cluster) makes VMs movable between CPUs`,
            );
