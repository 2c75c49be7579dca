import { inject } from 'vitest';
import { KubeClient, type KubeClientOptions, loadConfig } from '../../src/kube/index.ts';

export * from './own-control-plane.ts';

/** The API server of this test run, as its admin. Do not harm it: other test files use it at the same time. */
export function sharedClient(options: Partial<KubeClientOptions> = {}): KubeClient {
  return adminClient(inject('kubeconfig'), options);
}

export function adminClient(kubeconfigPath: string, options: Partial<KubeClientOptions> = {}): KubeClient {
  return new KubeClient({
    connection: loadConfig({ kubeconfigPath }),
    userAgent: 'drover-integration-test',
    ...options,
  });
}
