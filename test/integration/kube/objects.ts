import { randomUUID } from 'node:crypto';
import type { KindRef, KubeClient, KubeObject } from '../../../src/kube/index.ts';

/** Built-in kinds that need no controller, so that a bare API server is enough. */
export interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

export const configMapKind: KindRef<ConfigMap> = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
};

export const namespaceKind: KindRef = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
};

export function configMap(namespace: string, name: string, data: Record<string, string>): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name, labels: { test: 'yes' } }, data };
}

/** A namespace of its own keeps a test from seeing others. */
export async function newNamespace(client: KubeClient): Promise<string> {
  const name = `t-${randomUUID().slice(0, 13)}`;
  await client.create(namespaceKind, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  return name;
}
