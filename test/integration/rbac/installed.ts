import { join } from 'node:path';
import { fixedToken, KubeClient, loadConfig } from '../../../src/kube/index.ts';
import type { ServiceAccountTokenRequest } from '../../lab/control-plane/bound-tokens.ts';
import type { ControlPlane } from '../../lab/control-plane/control-plane.ts';
import { installDrover } from '../../lab/install-drover.ts';
import { type Seen, waitFor } from '../../lab/wait.ts';
import { adminClient, startOwnControlPlane } from '../control-plane.ts';
import { verdictOf } from './verdict.ts';

/** A cluster with Drover installed from crds/ and deploy/, and nothing running. */
export interface InstalledCluster {
  readonly admin: KubeClient;
  readonly controlPlane: ControlPlane;
  /** The API as the holder of a service account's token sees it. */
  as(account: ServiceAccountTokenRequest): Promise<KubeClient>;
  remove(): Promise<void>;
}

const CHECKOUT = join(import.meta.dirname, '../../..');

export const AGENT = { namespace: 'drover-system', name: 'drover-agent' } as const;
export const OPERATOR = { namespace: 'drover-system', name: 'drover-operator' } as const;

/** The strictest API server that Drover must run on: it also guards owner references. @param flags more of its flags */
export async function startInstalledCluster(purpose: string, flags: readonly string[] = []): Promise<InstalledCluster> {
  const { controlPlane, remove } = await startOwnControlPlane(purpose, [
    '--enable-admission-plugins=OwnerReferencesPermissionEnforcement',
    ...flags,
  ]);
  const admin = adminClient(controlPlane.kubeconfig);
  const clients: KubeClient[] = [admin];
  const as = async (account: ServiceAccountTokenRequest): Promise<KubeClient> => {
    const { token } = await controlPlane.issueServiceAccountToken(account);
    const { clientCertPem: _, clientKeyPem: __, ...server } = loadConfig({ kubeconfigPath: controlPlane.kubeconfig });
    const client = new KubeClient({ connection: { ...server, token: fixedToken(token) }, userAgent: 'drover-test' });
    clients.push(client);
    return client;
  };
  const removeAll = async (): Promise<void> => {
    await Promise.all(clients.map((client) => client.close()));
    await remove();
  };
  try {
    await installDrover(CHECKOUT, controlPlane);
    await policyWorks(await as(AGENT));
    return { admin, controlPlane, as, remove: removeAll };
  } catch (error) {
    await removeAll();
    throw error;
  }
}

/** The API server takes up roles and admission policies some time after they were written. */
async function policyWorks(agent: KubeClient): Promise<void> {
  const path = '/apis/coordination.k8s.io/v1/namespaces/drover-system/leases';
  const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'host-none' } };
  const probe = async (): Promise<Seen<true>> => {
    const { by } = await verdictOf(agent.raw({ method: 'POST', path, body, query: { dryRun: 'All' } }));
    return by === 'admission' ? { ready: true, value: true } : { ready: false, because: `refused by ${by}` };
  };
  await waitFor('the admission policy drover-agents', probe, { timeoutMs: 60_000 });
}
