import type { TokenSource } from './token-file.ts';

/** How to reach one API server as one user. Never log it: it holds keys. */
export interface KubeConnection {
  /** E.g. `https://10.0.0.1:6443`, without a trailing slash. */
  server: string;
  /** Namespace of the kubeconfig's context or of the pod; `default` when neither says. */
  namespace: string;
  caPem?: Buffer;
  clientCertPem?: Buffer;
  clientKeyPem?: Buffer;
  /** Name to check in the server's certificate instead of the URL's host. */
  serverName?: string;
  insecureSkipTlsVerify: boolean;
  /** Absent: the client certificate alone authenticates. */
  token?: TokenSource;
}

export interface LoadConfigOptions {
  /** A kubeconfig file. Absent: $KUBECONFIG, then ~/.kube/config, then the pod's service account. */
  kubeconfigPath?: string;
  /** Context of the kubeconfig. Absent: its current-context. */
  context?: string;
}

export declare function loadConfig(options?: LoadConfigOptions): KubeConnection;
