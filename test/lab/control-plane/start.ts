import { join } from 'node:path';
import type { LabIdentity } from '../identity.ts';
import { type Report, silent } from '../report.ts';
import { certificateAuthority, issueCertificate, serviceAccountKey } from './certificates.ts';
import { ControlPlane, type Programs } from './control-plane.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { obtainPrograms } from './obtain.ts';
import { controllerManagerKubeconfig, type Pki } from './servers.ts';

export interface ControlPlaneOptions {
  readonly identity: LabIdentity;
  /** Where the API server listens; must be an address of this machine. Default: 127.0.0.1. */
  readonly address?: string;
  /** Further flags of kube-apiserver. */
  readonly apiServerArgs?: readonly string[];
  /**
   * Also runs kube-controller-manager, with the controllers that delete what owner references and namespaces leave.
   * Default: false, so that nothing but the test itself changes objects.
   */
  readonly controllerManager?: boolean;
  readonly report?: Report;
}

/** Brings up the control plane and waits until they serve. What runs already is kept, and so is the data. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const controlPlane = await openControlPlane(options);
  await controlPlane.start(options.report ?? silent);
  return controlPlane;
}

/** The control plane of this lab, whether it runs or not: to drive one that another process has started. */
export async function openControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { identity, address = '127.0.0.1', apiServerArgs = [], controllerManager = false, report = silent } = options;
  const programs: Programs = {
    ...(await obtainPrograms(['kube-apiserver', 'kubectl'], report)),
    ...(controllerManager ? await obtainPrograms(['kube-controller-manager'], report) : {}),
  };
  const pki = await preparePki(join(identity.folder, 'pki'), address);
  const server = `https://${address}:${identity.ports.apiServer}`;
  const kubeconfig = { name: `drover-${identity.instance}`, server, authority: pki.authority };
  writeKubeconfig(identity.kubeconfig, { ...kubeconfig, user: pki.admin });
  writeKubeconfig(controllerManagerKubeconfig(identity), { ...kubeconfig, user: pki.controllerManager });
  return new ControlPlane({ identity, address, apiServerArgs, programs, pki, server });
}

async function preparePki(folder: string, address: string): Promise<Pki> {
  const authority = await certificateAuthority(folder, 'lab-authority');
  const etcdAuthority = await certificateAuthority(folder, 'etcd-authority');
  const issue = issueCertificate;
  const [apiServer, admin, controllerManager, etcd, etcdClient] = await Promise.all([
    issue(folder, authority, {
      name: `apiserver-${address}`,
      commonName: 'kube-apiserver',
      hosts: [...new Set(['localhost', '127.0.0.1', address, 'kubernetes.default.svc', 'kubernetes.default'])],
    }),
    // RBAC lets members of this group do everything, before any role exists.
    issue(folder, authority, { name: 'admin', commonName: 'lab-admin', organization: 'system:masters' }),
    issue(folder, authority, {
      name: 'controller-manager',
      commonName: 'system:kube-controller-manager',
      hosts: ['127.0.0.1'],
    }),
    issue(folder, etcdAuthority, { name: 'etcd', commonName: 'etcd', hosts: ['localhost', '127.0.0.1'] }),
    issue(folder, etcdAuthority, { name: 'etcd-client', commonName: 'kube-apiserver' }),
  ]);
  return {
    authority,
    etcdAuthority,
    apiServer,
    admin,
    controllerManager,
    etcd,
    etcdClient,
    serviceAccounts: serviceAccountKey(folder),
  };
}
