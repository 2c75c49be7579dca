import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { stringify } from 'yaml';
import type { KeyPair } from './certificates.ts';

/** A user proves itself by certificate, or by a token in a file that is read again when it changes. */
export type KubeconfigUser = KeyPair | { readonly tokenFile: string };

export interface KubeconfigContent {
  /** Name of cluster, user and context. */
  readonly name: string;
  readonly server: string;
  readonly authority: KeyPair;
  readonly user: KubeconfigUser;
}

/** Writes a kubeconfig that stands alone: certificates inside, readable by its owner only. Replaced as a whole. */
export function writeKubeconfig(file: string, { name, server, authority, user }: KubeconfigContent): void {
  const credentials =
    'tokenFile' in user
      ? { tokenFile: user.tokenFile }
      : { 'client-certificate-data': base64(user.certificate), 'client-key-data': base64(user.key) };
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority-data': base64(authority.certificate) } }],
    users: [{ name, user: credentials }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: 'default' } }],
    'current-context': name,
  };
  mkdirSync(dirname(file), { recursive: true });
  const draft = `${file}.draft`;
  writeFileSync(draft, stringify(kubeconfig), { mode: 0o600 });
  chmodSync(draft, 0o600);
  renameSync(draft, file);
}

function base64(file: string): string {
  return readFileSync(file).toString('base64');
}
