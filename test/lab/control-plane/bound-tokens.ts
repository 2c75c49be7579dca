import { z } from 'zod';
import type { HttpsAnswer, HttpsClient } from './https.ts';

/** How do programs of the lab get service-account tokens, where no kubelet asks for them on behalf of pods? */
export interface ServiceAccountTokenRequest {
  readonly namespace: string;
  readonly name: string;
  /** Name of the Node that the token is bound to. */
  readonly boundNode?: string;
  /** Name of the Pod, in the same namespace, that the token is bound to. Not together with boundNode. */
  readonly boundPod?: string;
  /** At least 600 s, which is the API server's minimum. Default: 3600 s. */
  readonly lifetimeSeconds?: number;
}

export interface ServiceAccountToken {
  readonly token: string;
  readonly expiresAt: Date;
}

const tokenAnswer = z.object({ status: z.object({ token: z.string(), expirationTimestamp: z.iso.datetime() }) });
const objectWithUid = z.object({ metadata: z.object({ uid: z.string() }) });

/** @throws when the service account, the Node or the Pod does not exist. */
export async function issueToken(
  admin: HttpsClient,
  request: ServiceAccountTokenRequest,
): Promise<ServiceAccountToken> {
  const { namespace, name, lifetimeSeconds = 3600 } = request;
  const boundObjectRef = await boundObject(admin, request);
  const answer = await admin.call('POST', `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: lifetimeSeconds, ...(boundObjectRef ? { boundObjectRef } : {}) },
  });
  if (answer.status !== 201) throw refused(`issue a token for service account ${namespace}/${name}`, answer);
  const { status } = tokenAnswer.parse(answer.body);
  return { token: status.token, expiresAt: new Date(status.expirationTimestamp) };
}

/** Makes the Node if there is none. It only exists for tokens to be bound to. */
export async function ensureNode(admin: HttpsClient, name: string): Promise<void> {
  const metadata = { name, labels: { 'kubernetes.io/hostname': name } };
  await ensure(admin, '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata });
}

/** Makes the Pod if there is none. It is never run, and only exists for tokens to be bound to. */
export async function ensurePod(
  admin: HttpsClient,
  pod: { readonly namespace: string; readonly name: string; readonly serviceAccountName: string },
): Promise<void> {
  const { namespace, name, serviceAccountName } = pod;
  await ensure(admin, `/api/v1/namespaces/${namespace}/pods`, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { serviceAccountName, containers: [{ name: 'runs-outside', image: 'none.invalid/runs-on-the-lab-machine' }] },
  });
}

async function ensure(
  admin: HttpsClient,
  path: string,
  object: { apiVersion: string; kind: string; metadata: { name: string }; spec?: object },
): Promise<void> {
  const answer = await admin.call('POST', path, object);
  if (answer.status !== 201 && answer.status !== 409)
    throw refused(`create ${object.kind} ${object.metadata.name}`, answer);
}

async function boundObject(admin: HttpsClient, { namespace, boundNode, boundPod }: ServiceAccountTokenRequest) {
  if (boundNode !== undefined) return await reference(admin, 'Node', boundNode, '/api/v1/nodes');
  if (boundPod !== undefined) return await reference(admin, 'Pod', boundPod, `/api/v1/namespaces/${namespace}/pods`);
  return undefined;
}

async function reference(admin: HttpsClient, kind: 'Node' | 'Pod', name: string, path: string) {
  const answer = await admin.call('GET', `${path}/${name}`);
  if (answer.status !== 200) throw refused(`find ${kind} ${name}`, answer);
  return { apiVersion: 'v1', kind, name, uid: objectWithUid.parse(answer.body).metadata.uid };
}

function refused(what: string, answer: HttpsAnswer): Error {
  return new Error(`The API server did not ${what}: ${answer.status} ${JSON.stringify(answer.body)}`);
}
