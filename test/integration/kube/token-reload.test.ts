import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { z } from 'zod';
import { KubeClient, loadConfig, TokenFile } from '../../../src/kube/index.ts';
import { sharedClient } from '../control-plane.ts';
import { eventually } from '../eventually.ts';
import { newNamespace } from './objects.ts';
import { createServiceAccount, requestToken } from './operator-pods.ts';

const admin = sharedClient();
const folder = mkdtempSync(join(tmpdir(), 'drover-token-'));
const path = join(folder, 'token');
let namespace = '';

const {
  clientCertPem: _cert,
  clientKeyPem: _key,
  ...connection
} = loadConfig({ kubeconfigPath: inject('kubeconfig') });
function newClient(): KubeClient {
  const token = new TokenFile(path);
  return new KubeClient({ connection: { ...connection, token }, userAgent: 'drover-token-test' });
}

beforeAll(async () => {
  namespace = await newNamespace(admin);
  for (const name of ['one', 'two']) await createServiceAccount(admin, namespace, name);
});
afterAll(async () => {
  await admin.close();
  rmSync(folder, { recursive: true });
});

const reviewSchema = z.object({ status: z.object({ userInfo: z.object({ username: z.string() }) }) });

async function whoAmI(client: KubeClient): Promise<string> {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
  const answer = await client.raw({ method: 'POST', path: '/apis/authentication.k8s.io/v1/selfsubjectreviews', body });
  return reviewSchema.parse(answer).status.userInfo.username;
}

describe('a client whose token stands in a file', () => {
  it('takes up a new token within seconds, without being told', async () => {
    const client = newClient();
    writeFileSync(path, await requestToken(admin, namespace, 'one'));
    expect(await whoAmI(client)).toBe(`system:serviceaccount:${namespace}:one`);
    writeFileSync(path, await requestToken(admin, namespace, 'two'));
    await eventually('the new token is used', async () => (await whoAmI(client)).endsWith(':two'), 15_000);
    await client.close();
  });

  it('reads the file again in the middle of a call that the server refused for its token', async () => {
    const client = newClient();
    writeFileSync(path, 'expired');
    await expect(whoAmI(client)).rejects.toMatchObject({ code: 401 });
    writeFileSync(path, await requestToken(admin, namespace, 'one'));
    expect(await whoAmI(client)).toBe(`system:serviceaccount:${namespace}:one`);
    await client.close();
  });
});
