import { no, YES } from '../../model/verdict.ts';
import type { Filter } from '../filter.ts';

/** A disk on a datastore that is not shared ties the VM to the host that holds its data. */
export const diskHost: Filter = (request, host) => {
  const elsewhere = request.diskHosts.filter((disk) => disk.host !== host.name);
  const list = elsewhere.map((disk) => `Volume ${disk.volumeName} on ${disk.host}`).join(', ');
  return elsewhere.length === 0 ? YES : no('LocalDisk', `it does not hold the data of the VM's disks: ${list}`);
};
