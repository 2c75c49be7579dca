import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

/** A disk on a datastore that is not shared ties the VM to the host that holds its data. */
export const diskHost: Filter = ({ diskHosts }) =>
  diskHosts.length === 0
    ? undefined
    : (host) => {
        const elsewhere = diskHosts.filter((disk) => disk.host !== host.name);
        if (elsewhere.length === 0) return undefined;
        return obstacle('LocalDisk', { elsewhere }, () => {
          const list = elsewhere.map((disk) => `Volume ${disk.volumeName} on ${disk.host}`).join(', ');
          return `it does not hold the data of the VM's disks: ${list}`;
        });
      };
