import { copyFileSync, existsSync, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceAccountTokenRequest } from './control-plane/bound-tokens.ts';
import type { ControlPlane } from './control-plane/control-plane.ts';
import type { LabHost } from './host/lab-host.ts';
import type { LabIdentity } from './identity.ts';

/** Where do operator and agents find their service-account tokens? The lab plays the kubelet that puts them there. */
export const SYSTEM_NAMESPACE = 'drover-system';
export const OPERATOR_ACCOUNT = 'drover-operator';
/** The operator's writes are only let through for the pod that holds its lease, so its token must name a pod. */
export const OPERATOR_POD = 'drover-operator-lab';
export const AGENT_ACCOUNT = 'drover-agent';

/** A folder with `token`, `ca.crt` and `namespace`, as a pod finds it. */
export interface CredentialsFolder {
  readonly path: string;
  readonly account: ServiceAccountTokenRequest;
}

const LIFETIME_SECONDS = 3600;
/** A kubelet renews a token when this share of its lifetime is over. */
const RENEW_AFTER_FRACTION = 0.8;

export function operatorCredentials({ folder }: LabIdentity): CredentialsFolder {
  return {
    path: join(folder, 'operator', 'serviceaccount'),
    account: { namespace: SYSTEM_NAMESPACE, name: OPERATOR_ACCOUNT, boundPod: OPERATOR_POD },
  };
}

/** In the host this is /var/run/secrets/kubernetes.io/serviceaccount, the path in every pod. It goes with the power. */
export function agentCredentials(host: LabHost): CredentialsFolder {
  return {
    path: join(host.files.run, 'secrets', 'kubernetes.io', 'serviceaccount'),
    account: { namespace: SYSTEM_NAMESPACE, name: AGENT_ACCOUNT, boundNode: host.name },
  };
}

/** Writes the credentials, unless those that are there are fresh. Readers never see half a token. */
export async function refreshCredentials(
  controlPlane: ControlPlane,
  { path, account }: CredentialsFolder,
  now: Date = new Date(),
): Promise<void> {
  const token = join(path, 'token');
  if (existsSync(token)) {
    const ageSeconds = (now.getTime() - statSync(token).mtimeMs) / 1000;
    if (ageSeconds < LIFETIME_SECONDS * RENEW_AFTER_FRACTION) return;
  }
  const issued = await controlPlane.issueServiceAccountToken({ ...account, lifetimeSeconds: LIFETIME_SECONDS });
  mkdirSync(path, { recursive: true, mode: 0o700 });
  copyFileSync(controlPlane.pki.authority.certificate, join(path, 'ca.crt'));
  writeFileSync(join(path, 'namespace'), account.namespace);
  const draft = join(path, '.token');
  writeFileSync(draft, issued.token, { mode: 0o600 });
  renameSync(draft, token);
}
