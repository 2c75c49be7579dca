import type { LabBmc } from './bmc/bmcs.ts';
import { IPMI_CIPHER_SUITE } from './bmc/simulators.ts';
import { SYSTEM_NAMESPACE } from './credentials.ts';
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

/** What the operator must know of the hosts' BMCs. */
export function bmcObjects(bmcs: readonly { readonly host: string; readonly bmc: LabBmc }[]): object[] {
  const [first] = bmcs;
  if (first === undefined) return [];
  const { username, password } = first.bmc;
  return [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'bmc', namespace: SYSTEM_NAMESPACE },
      type: 'kubernetes.io/basic-auth',
      stringData: { username, password },
    },
    ...bmcs.map(({ host, bmc: { type, address, port, certificateAuthority } }) => ({
      apiVersion: API_VERSION,
      kind: 'Host',
      metadata: { name: host },
      spec: {
        power: {
          bmc: {
            type,
            address,
            port,
            credentialsSecret: 'bmc',
            ...(certificateAuthority && { certificateAuthority }),
            ...(type === 'IPMI' && { cipherSuite: IPMI_CIPHER_SUITE }),
          },
        },
      },
    })),
  ];
}
