import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ControlPlane } from '../../lab/control-plane/control-plane.ts';
import { openControlPlane, startControlPlane } from '../../lab/control-plane/start.ts';
import type { LabIdentity } from '../../lab/identity.ts';
import { stopAllProcesses } from '../../lab/processes.ts';
import { claimIdentity, releaseIdentity } from '../../lab/slots.ts';
import { type Seen, waitFor } from '../../lab/wait.ts';

let identity: LabIdentity;
let controlPlane: ControlPlane;

beforeAll(async () => {
  identity = claimIdentity(join(import.meta.dirname, '..', '..', '..'), `it-${process.pid}-lab`);
  controlPlane = await startControlPlane({ identity, controllerManager: true });
});

afterAll(async () => {
  await controlPlane.close();
  await stopAllProcesses(identity.folder, { graceMs: 0 });
  releaseIdentity(identity);
  rmSync(identity.folder, { recursive: true, force: true });
});

const review = z.object({
  status: z.object({
    authenticated: z.boolean(),
    user: z.object({ username: z.string(), extra: z.record(z.string(), z.array(z.string())) }),
  }),
});

function apply(object: object): Promise<string> {
  return controlPlane.kubectl(['apply', '-f', '-'], JSON.stringify(object));
}

function configMap(name: string, metadata: object = {}): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default', ...metadata } };
}

async function isThere(...what: string[]): Promise<boolean> {
  return (await controlPlane.kubectl(['get', ...what, '--ignore-not-found', '--output', 'name'])) !== '';
}

async function goneProbe(...what: string[]): Promise<Seen<true>> {
  return (await isThere(...what)) ? { ready: false, because: 'it is there' } : { ready: true, value: true };
}

describe('the control plane of a lab', () => {
  it('issues service-account tokens whose user carries the name of the Node they are bound to', async () => {
    await controlPlane.ensureNode('host-1');
    await controlPlane.ensureNode('host-1');
    await apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'agent', namespace: 'default' } });
    const { token, expiresAt } = await controlPlane.issueServiceAccountToken({
      namespace: 'default',
      name: 'agent',
      boundNode: 'host-1',
      lifetimeSeconds: 600,
    });
    const question = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } };
    const answer = await controlPlane.kubectl(['create', '-f', '-', '-o', 'json'], JSON.stringify(question));
    const { status } = review.parse(JSON.parse(answer));
    expect(status.authenticated).toBe(true);
    expect(status.user.username).toBe('system:serviceaccount:default:agent');
    expect(status.user.extra['authentication.kubernetes.io/node-name']).toEqual(['host-1']);
    expect(expiresAt.getTime() - Date.now()).toBeLessThanOrEqual(600_000);
  });

  it('refuses a token for a service account or a Node that does not exist, and says so', async () => {
    const ask = (name: string, boundNode: string) =>
      controlPlane.issueServiceAccountToken({ namespace: 'default', name, boundNode });
    await expect(ask('nobody', 'host-1')).rejects.toThrow(/default\/nobody.*404/);
    await expect(ask('agent', 'host-99')).rejects.toThrow(/Node host-99.*404/);
  });

  it('refuses a token of another lab, and callers without one', async () => {
    const whoAmI = ['auth', 'whoami', '--server', controlPlane.server, '--insecure-skip-tls-verify'];
    await expect(controlPlane.kubectl(['--kubeconfig=/dev/null', ...whoAmI, '--token=stranger'])).rejects.toThrow(
      /Unauthorized/,
    );
  });

  it('keeps its objects when etcd and the API server are killed', async () => {
    await apply(configMap('kept'));
    await controlPlane.apiServer.kill();
    await controlPlane.etcd.kill();
    expect(controlPlane.apiServer.process).toBeUndefined();
    await controlPlane.etcd.start();
    await controlPlane.apiServer.start();
    expect(await isThere('configmap', 'kept')).toBe(true);
  });

  it('can be driven by another process than the one that started it', async () => {
    const other = await openControlPlane({ identity, controllerManager: true });
    try {
      expect(other.apiServer.process).toEqual(controlPlane.apiServer.process);
      expect(await other.kubectl(['get', 'namespace', 'default', '-o', 'name'])).toBe('namespace/default\n');
    } finally {
      await other.close();
    }
  });

  it('forgets old revisions when etcd is compacted', async () => {
    const before = z
      .object({ metadata: z.object({ resourceVersion: z.string() }) })
      .parse(JSON.parse(await controlPlane.kubectl(['get', '--raw', '/api/v1/configmaps'])));
    await apply(configMap('later'));
    await controlPlane.compactEtcd();
    await controlPlane.apiServer.restart();
    const old = `/api/v1/configmaps?resourceVersion=${before.metadata.resourceVersion}&resourceVersionMatch=Exact`;
    await expect(controlPlane.kubectl(['get', '--raw', old])).rejects.toThrow(/too old|compacted|Expired/i);
  });

  it('deletes what an owner leaves behind', async () => {
    await apply(configMap('owner'));
    const uid = await controlPlane.kubectl(['get', 'configmap', 'owner', '-o', 'jsonpath={.metadata.uid}']);
    await apply(configMap('owned', { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid }] }));
    await controlPlane.kubectl(['delete', 'configmap', 'owner']);
    await waitFor('the owned object to go', () => goneProbe('configmap', 'owned'), { timeoutMs: 60_000 });
  });

  it('ends a deleted namespace', async () => {
    await controlPlane.kubectl(['create', 'namespace', 'short-lived']);
    await controlPlane.kubectl(['delete', 'namespace', 'short-lived', '--wait=false']);
    await waitFor('the namespace to go', () => goneProbe('namespace', 'short-lived'), { timeoutMs: 60_000 });
  });
});
