import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { KindRef, KubeClient, KubeObject } from '../../../src/kube/index.ts';
import { type Seen, waitFor } from '../../lab/wait.ts';

export interface CustomResourceDefinition extends KubeObject {
  status?: { conditions?: { type: string; status: string; reason: string; message: string }[] };
}

export const crdKind: KindRef<CustomResourceDefinition> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};

const FOLDER = join(import.meta.dirname, '../../../crds');

/** The generated CRDs, as `kubectl apply -f crds` sends them: it reads YAML 1.1. */
export function crdFiles(): CustomResourceDefinition[] {
  return readdirSync(FOLDER)
    .sort()
    .map((file) => parse(readFileSync(join(FOLDER, file), 'utf8'), { version: '1.1' }) as CustomResourceDefinition);
}

/** Installs Drover's kinds and waits until they are served. Harmless where they are already. */
export async function installCrds(client: KubeClient): Promise<CustomResourceDefinition[]> {
  const crds = crdFiles();
  await Promise.all(crds.map((crd) => client.apply(crdKind, crd, { fieldManager: 'test', force: true })));
  return await Promise.all(crds.map(({ metadata }) => established(client, metadata.name)));
}

async function established(client: KubeClient, name: string): Promise<CustomResourceDefinition> {
  const probe = async (): Promise<Seen<CustomResourceDefinition>> => {
    const crd = await client.get(crdKind, { name });
    const condition = crd.status?.conditions?.find(({ type }) => type === 'Established');
    if (condition?.status === 'True') return { ready: true, value: crd };
    return { ready: false, because: condition?.message ?? 'no condition Established' };
  };
  return await waitFor(`CRD ${name} to be served`, probe, { timeoutMs: 60_000 });
}
