import { isJson } from '../api/field-set.ts';
import type { Invariant } from './invariant.ts';

/** No data of a running guest is deleted. */
export const volumesInUseStay: Invariant = {
  name: 'data in use is not deleted',
  onCommit: ({ kind, key, after }, { hosts }) => {
    if (kind.plural !== 'volumes' || !isJson(after?.status) || after.status['phase'] !== 'Deleted') return undefined;
    const path = after.status['path'];
    for (const host of hosts) {
      const user = host.domains.find(({ disks }) => disks.some((disk) => disk.path === path));
      if (user !== undefined) return `the data of ${key} was deleted while ${user.name} used it on ${host.name}`;
    }
    return undefined;
  },
};
