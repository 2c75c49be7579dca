import { join } from 'node:path';
import type { LabIdentity } from '../identity.ts';
import type { ProcessSpec } from '../processes.ts';
import type { KeyPair, serviceAccountKey } from './certificates.ts';

/** With which flags do etcd, kube-apiserver and kube-controller-manager run? */
export interface Pki {
  readonly authority: KeyPair;
  readonly etcdAuthority: KeyPair;
  readonly apiServer: KeyPair;
  readonly admin: KeyPair;
  readonly controllerManager: KeyPair;
  readonly etcd: KeyPair;
  readonly etcdClient: KeyPair;
  readonly serviceAccounts: ReturnType<typeof serviceAccountKey>;
}

/** What the API server puts into tokens as issuer and takes as audience. */
export const TOKEN_ISSUER = 'https://kubernetes.default.svc';

/** Unused by Drover, which makes no Services, but the API server must have one: TEST-NET-2 of RFC 5737. */
const SERVICE_RANGE = '198.51.100.0/24';

/** etcd asks its clients for a certificate: whoever writes to etcd is root on the machine by way of the agents. */
export function etcdSpec({ folder, ports }: LabIdentity, pki: Pki): ProcessSpec {
  const clientUrl = `https://127.0.0.1:${ports.etcdClient}`;
  const peerUrl = `https://127.0.0.1:${ports.etcdPeer}`;
  return {
    name: 'etcd',
    command: 'etcd',
    args: [
      '--name=lab',
      `--data-dir=${join(folder, 'etcd')}`,
      `--listen-client-urls=${clientUrl}`,
      `--advertise-client-urls=${clientUrl}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=lab=${peerUrl}`,
      `--cert-file=${pki.etcd.certificate}`,
      `--key-file=${pki.etcd.key}`,
      '--client-cert-auth=true',
      `--trusted-ca-file=${pki.etcdAuthority.certificate}`,
      `--peer-cert-file=${pki.etcd.certificate}`,
      `--peer-key-file=${pki.etcd.key}`,
      '--peer-client-cert-auth=true',
      `--peer-trusted-ca-file=${pki.etcdAuthority.certificate}`,
      '--quota-backend-bytes=4294967296',
      '--logger=zap',
      '--log-level=warn',
    ],
  };
}

export function apiServerSpec(
  { ports }: LabIdentity,
  pki: Pki,
  { command, address, extra }: { command: string; address: string; extra: readonly string[] },
): ProcessSpec {
  return {
    name: 'kube-apiserver',
    command,
    args: [
      `--etcd-servers=https://127.0.0.1:${ports.etcdClient}`,
      `--etcd-cafile=${pki.etcdAuthority.certificate}`,
      `--etcd-certfile=${pki.etcdClient.certificate}`,
      `--etcd-keyfile=${pki.etcdClient.key}`,
      `--bind-address=${address}`,
      `--advertise-address=${address}`,
      `--secure-port=${ports.apiServer}`,
      `--tls-cert-file=${pki.apiServer.certificate}`,
      `--tls-private-key-file=${pki.apiServer.key}`,
      `--client-ca-file=${pki.authority.certificate}`,
      '--authorization-mode=Node,RBAC',
      `--service-account-issuer=${TOKEN_ISSUER}`,
      `--service-account-key-file=${pki.serviceAccounts.publicKey}`,
      `--service-account-signing-key-file=${pki.serviceAccounts.privateKey}`,
      `--service-cluster-ip-range=${SERVICE_RANGE}`,
      // There is no Service network: nobody needs the "kubernetes" Service to have an endpoint.
      '--endpoint-reconciler-type=none',
      ...extra,
    ],
  };
}

/**
 * Those controllers of kube-controller-manager that a cluster without pods still needs: what an owner leaves is deleted
 * with it, a deleted namespace ends, and every namespace has its default service account.
 */
const CONTROLLERS = ['garbage-collector-controller', 'namespace-controller', 'serviceaccount-controller'];

export function controllerManagerSpec(lab: LabIdentity, pki: Pki, command: string): ProcessSpec {
  return {
    name: 'kube-controller-manager',
    command,
    args: [
      `--kubeconfig=${controllerManagerKubeconfig(lab)}`,
      `--controllers=${CONTROLLERS.join(',')}`,
      // Each controller has a role of its own among those that the API server brings along.
      '--use-service-account-credentials=true',
      '--leader-elect=false',
      '--bind-address=127.0.0.1',
      `--secure-port=${lab.ports.controllerManager}`,
      `--tls-cert-file=${pki.controllerManager.certificate}`,
      `--tls-private-key-file=${pki.controllerManager.key}`,
    ],
  };
}

export function controllerManagerKubeconfig({ folder }: LabIdentity): string {
  return join(folder, 'kube-controller-manager.kubeconfig');
}
