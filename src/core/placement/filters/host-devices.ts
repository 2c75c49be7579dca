import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

/** Every device to pass through must be free on the host. */
export const hostDevices: Filter = ({ hostDevices: devices }) =>
  devices.length === 0
    ? undefined
    : (host) => {
        const missing = devices.filter((name) => !host.hostDevices.has(name));
        return missing.length === 0
          ? undefined
          : obstacle('HostDeviceMissing', { missing }, () => `it has no free host device ${missing.join(', ')}`);
      };
