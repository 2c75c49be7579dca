import { keyOf, type ObjectKey } from '../../kube/index.ts';
import type { Informers } from '../informers.ts';

/** VMs that shall run and have no instance: they are tried again when hosts, clusters or datastores change. */
export function unplaced({
  virtualMachines,
  instances,
}: Pick<Informers, 'virtualMachines' | 'instances'>): ObjectKey[] {
  return virtualMachines
    .list()
    .filter(({ spec, metadata }) => spec.runStrategy !== 'Halted' && instances.find(metadata) === undefined)
    .map(keyOf);
}
