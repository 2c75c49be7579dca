import { inject } from 'vitest';
import { z } from 'zod';
import { fixedToken, type KindRef, KubeClient, type KubeObject, loadConfig } from '../../../src/kube/index.ts';

const core = (plural: string, kind: string): KindRef => ({ group: '', version: 'v1', plural, kind, namespaced: true });
const admission = (plural: string, kind: string): KindRef => ({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural,
  kind,
  namespaced: false,
});

export const policyKind = admission('validatingadmissionpolicies', 'ValidatingAdmissionPolicy');
export const policyBindingKind = admission('validatingadmissionpolicybindings', 'ValidatingAdmissionPolicyBinding');
const serviceAccountKind = core('serviceaccounts', 'ServiceAccount');
const podKind = core('pods', 'Pod');
const roleBindingKind: KindRef = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  plural: 'rolebindings',
  kind: 'RoleBinding',
  namespaced: true,
};

const tokenSchema = z.object({ status: z.object({ token: z.string() }) });

/** A replica of an operator as the API server knows it: a pod, and a client with the token bound to that pod. */
export interface OperatorPod {
  name: string;
  client: KubeClient;
}

export const operatorUser = (namespace: string) => `system:serviceaccount:${namespace}:operator`;

/** Replicas that may do everything in their namespace. No kubelet runs them; the API server does not mind. */
export async function operatorPods(admin: KubeClient, namespace: string, count: number): Promise<OperatorPod[]> {
  await createServiceAccount(admin, namespace, 'operator');
  const binding = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { namespace, name: 'operator' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'admin-of-test' },
    subjects: [{ kind: 'ServiceAccount', name: 'operator', namespace }],
  };
  const role = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'admin-of-test' },
    rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }],
  };
  await admin.apply({ ...roleBindingKind, plural: 'clusterroles', kind: 'ClusterRole', namespaced: false }, role, {
    fieldManager: 'test',
  });
  await admin.create(roleBindingKind, binding);
  return await Promise.all(
    Array.from({ length: count }, (_, index) => operatorPod(admin, namespace, `operator-${index}`)),
  );
}

async function operatorPod(admin: KubeClient, namespace: string, name: string): Promise<OperatorPod> {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name },
    spec: {
      serviceAccountName: 'operator',
      automountServiceAccountToken: false,
      containers: [{ name: 'operator', image: 'none' }],
    },
  };
  const { metadata } = await admin.create<KubeObject>(podKind, pod);
  const token = await requestToken(admin, namespace, 'operator', {
    kind: 'Pod',
    apiVersion: 'v1',
    name,
    uid: metadata.uid,
  });
  return { name, client: tokenClient(token) };
}

export async function createServiceAccount(admin: KubeClient, namespace: string, name: string): Promise<void> {
  await admin.create(serviceAccountKind, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace, name } });
}

export async function requestToken(
  admin: KubeClient,
  namespace: string,
  serviceAccount: string,
  boundObjectRef?: object,
): Promise<string> {
  const answer = await admin.raw({
    method: 'POST',
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`,
    body: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: 3600, ...(boundObjectRef && { boundObjectRef }) },
    },
  });
  return tokenSchema.parse(answer).status.token;
}

/** A client of the run's API server that has nothing but a token. */
export function tokenClient(token: string): KubeClient {
  const {
    clientCertPem: _cert,
    clientKeyPem: _key,
    ...connection
  } = loadConfig({ kubeconfigPath: inject('kubeconfig') });
  return new KubeClient({ connection: { ...connection, token: fixedToken(token) }, userAgent: 'drover-token-test' });
}
