import { isJson } from '../api/field-set.ts';
import type { Invariant } from './invariant.ts';

/** Placements of a VM are numbered upwards, also over the end of its instance; another host is another number. */
export function epochsOnlyGrow(): Invariant {
  /** Newest placement by uid of the VM. */
  const newest = new Map<string, { epoch: number; host: string }>();
  return {
    name: 'epochs only grow',
    onRestore: () => newest.clear(),
    onCommit: ({ kind, after, key }) => {
      if (kind.plural !== 'virtualmachineinstances' || after === undefined || !isJson(after.spec)) return undefined;
      const { virtualMachineUID: uid, epoch, host } = after.spec;
      if (typeof uid !== 'string' || typeof epoch !== 'number' || typeof host !== 'string') return undefined;
      const before = newest.get(uid);
      newest.set(uid, { epoch, host });
      if (before === undefined || epoch > before.epoch) return undefined;
      if (epoch < before.epoch) return `${key} went from epoch ${before.epoch} to ${epoch}`;
      return host === before.host ? undefined : `${key} went from ${before.host} to ${host} within epoch ${epoch}`;
    },
  };
}
