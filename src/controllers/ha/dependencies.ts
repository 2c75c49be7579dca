import type { FindDependency } from '../../core/ha/dependencies.ts';
import type { Informers } from '../informers.ts';

/** Finds what is known of the VMs of a namespace, from the caches. */
export function dependenciesIn(
  namespace: string | undefined,
  { virtualMachines, instances, hosts }: Pick<Informers, 'virtualMachines' | 'instances' | 'hosts'>,
): FindDependency {
  return (name) => {
    const key = `${namespace}/${name}`;
    const instance = instances.get(key);
    return {
      vm: virtualMachines.get(key),
      instance,
      host: instance === undefined ? undefined : hosts.get(instance.spec.host),
    };
  };
}
