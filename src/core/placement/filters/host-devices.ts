import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

/** Every device to pass through must be free on the host. */
export const hostDevices: Filter = ({ hostDevices: devices }) =>
  devices.length === 0
    ? undefined
    : (host) => {
        if (devices.every((name) => host.hostDevices.has(name))) return undefined;
        return obstacle('HostDeviceMissing', { missing: devices.filter((name) => !host.hostDevices.has(name)) }, say);
      };

const say = ({ missing }: { missing: readonly string[] }) => `it has no free host device ${missing.join(', ')}`;
