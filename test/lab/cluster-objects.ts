import { SHARED_DATASTORE_PATH } from './host/host-files.ts';
import { UPLINK_NIC } from './host/network.ts';

/** What does an administrator declare once for a cluster? The lab plays the administrator. */
const API_VERSION = 'drover.dev/v1alpha1';

/** File name of the test guest below the shared datastore's `images` folder. */
export const GUEST_IMAGE_FILE = 'drover-guest.qcow2';

export function clusterObjects(): object[] {
  return [
    {
      apiVersion: API_VERSION,
      kind: 'Cluster',
      metadata: { name: 'lab', annotations: { 'drover.dev/is-default-cluster': 'true' } },
      spec: {},
    },
    {
      apiVersion: API_VERSION,
      kind: 'Datastore',
      metadata: { name: 'shared' },
      spec: { type: 'Directory', path: SHARED_DATASTORE_PATH, shared: true },
    },
    { apiVersion: API_VERSION, kind: 'VirtualSwitch', metadata: { name: 'lan' }, spec: { uplink: UPLINK_NIC } },
    {
      apiVersion: API_VERSION,
      kind: 'PortGroup',
      metadata: { name: 'lan', namespace: 'default' },
      spec: { virtualSwitchName: 'lan' },
    },
    {
      apiVersion: API_VERSION,
      kind: 'Image',
      metadata: { name: 'drover-guest', namespace: 'default' },
      spec: { datastoreName: 'shared', path: GUEST_IMAGE_FILE },
    },
  ];
}
