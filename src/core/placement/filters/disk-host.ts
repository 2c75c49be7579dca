import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';
import type { PlacementRequest } from '../request.ts';

/** A disk on a datastore that is not shared ties the VM to the host that holds its data. */
export const diskHost: Filter = ({ diskHosts }) =>
  diskHosts.length === 0
    ? undefined
    : (host) => {
        if (diskHosts.every((disk) => disk.host === host.name)) return undefined;
        return obstacle('LocalDisk', { elsewhere: diskHosts.filter((disk) => disk.host !== host.name) }, say);
      };

const say = ({ elsewhere }: { elsewhere: PlacementRequest['diskHosts'] }) => {
  const list = elsewhere.map((disk) => `Volume ${disk.volumeName} on ${disk.host}`).join(', ');
  return `it does not hold the data of the VM's disks: ${list}`;
};
