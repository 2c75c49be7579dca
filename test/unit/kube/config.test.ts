import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { loadConfig } from '../../../src/kube/index.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drover-config-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function kubeconfig(name: string, user: object, cluster: object = {}): string {
  return write(
    name,
    stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'one',
      contexts: [
        { name: 'one', context: { cluster: 'c', user: 'u', namespace: 'mine' } },
        { name: 'broken', context: { cluster: 'none', user: 'u' } },
      ],
      clusters: [{ name: 'c', cluster: { server: 'https://api.example:6443/', ...cluster } }],
      users: [{ name: 'u', user }],
    }),
  );
}

describe('loadConfig', () => {
  it('reads server, namespace, certificates and server name of a kubeconfig', () => {
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    const kubeconfigPath = kubeconfig(
      'config',
      { 'client-certificate-data': base64('CERT'), 'client-key': write('key.pem', 'KEY') },
      { 'certificate-authority-data': base64('CA'), 'tls-server-name': 'kubernetes' },
    );
    expect(loadConfig({ kubeconfigPath })).toEqual({
      server: 'https://api.example:6443',
      namespace: 'mine',
      caPem: Buffer.from('CA'),
      clientCertPem: Buffer.from('CERT'),
      clientKeyPem: Buffer.from('KEY'),
      serverName: 'kubernetes',
      insecureSkipTlsVerify: false,
    });
  });

  it('takes a token from the kubeconfig, or from the file beside it that it names', async () => {
    const fixed = loadConfig({ kubeconfigPath: kubeconfig('a', { token: 'abc' }) });
    expect(await fixed.token?.token()).toBe('abc');
    write('token', 'from-file\n');
    const fromFile = loadConfig({ kubeconfigPath: kubeconfig('b', { tokenFile: 'token' }) });
    expect(await fromFile.token?.token()).toBe('from-file');
  });

  it('runs the credential plugin of a kubeconfig', async () => {
    const credential = {
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status: { token: 'plugged' },
    };
    const exec = {
      apiVersion: credential.apiVersion,
      command: 'echo',
      args: [JSON.stringify(credential)],
      interactiveMode: 'Never',
    };
    const config = loadConfig({ kubeconfigPath: kubeconfig('config', { exec }) });
    expect(await config.token?.token()).toBe('plugged');
  });

  it('merges the files of $KUBECONFIG, of which the first decides', async () => {
    const first = kubeconfig('first', { token: 'first' });
    const second = write(
      'second',
      stringify({
        'current-context': 'two',
        contexts: [{ name: 'two', context: { cluster: 'c', user: 'v' } }],
        clusters: [],
        users: [{ name: 'v', user: { token: 'second' } }],
      }),
    );
    const env = { KUBECONFIG: `${first}:${second}` };
    expect(await loadConfig({ env }).token?.token()).toBe('first');
    expect(await loadConfig({ env, context: 'two' }).token?.token()).toBe('second');
  });

  it('uses the service account in a pod', async () => {
    const serviceAccountFolder = join(folder, 'sa');
    mkdirSync(serviceAccountFolder);
    write('sa/token', 'pod-token');
    write('sa/ca.crt', 'CA');
    write('sa/namespace', 'drover-system');
    const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443', HOME: folder };
    const config = loadConfig({ env, serviceAccountFolder });
    expect([config.server, config.namespace]).toEqual(['https://[fd00::1]:443', 'drover-system']);
    expect(await config.token?.token()).toBe('pod-token');
  });

  it.each([
    { options: { kubeconfigPath: '/nowhere/config' }, says: /Cannot read the kubeconfig \/nowhere\/config: ENOENT/ },
    {
      options: { env: { HOME: '/nowhere' } },
      says: /\$KUBECONFIG is not set, this is no pod, and \/nowhere\/\.kube\/config/,
    },
  ])('says what is missing: $says', ({ options, says }) => {
    expect(() => loadConfig(options)).toThrow(says);
  });

  it('refuses what it would otherwise have to ignore', () => {
    const proxied = kubeconfig('a', {}, { 'proxy-url': 'http://proxy.example' });
    expect(() => loadConfig({ kubeconfigPath: proxied })).toThrow(/has a proxy-url .*proxies are not supported/);
    const impersonating = kubeconfig('b', { as: 'somebody' });
    expect(() => loadConfig({ kubeconfigPath: impersonating })).toThrow(/"u" impersonates another .*not supported/);
  });

  it('names the context, and the cluster that a context misses', () => {
    const kubeconfigPath = kubeconfig('config', {});
    expect(() => loadConfig({ kubeconfigPath, context: 'nope' })).toThrow(
      /There is no context "nope" in the kubeconfig/,
    );
    expect(() => loadConfig({ kubeconfigPath, context: 'broken' })).toThrow(
      /names the cluster "none", which is not in/,
    );
  });
});
