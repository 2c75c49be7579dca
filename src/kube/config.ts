import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { type Cluster, KubeConfig, type User } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { z } from 'zod';
import { fixedToken, TokenFile, type TokenSource } from './token-file.ts';

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
  /** A kubeconfig file. Absent: $KUBECONFIG, then the pod's service account, then ~/.kube/config. */
  kubeconfigPath?: string;
  /** Context of the kubeconfig. Absent: its current-context. */
  context?: string;
  /** Absent: process.env. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Where a pod's service account is mounted. Absent: the place the kubelet uses. */
  serviceAccountFolder?: string;
}

const SERVICE_ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * Finds out how to reach the API server and as whom.
 * @throws Error that names the file, context or variable at fault.
 */
export function loadConfig(options: LoadConfigOptions = {}): KubeConnection {
  const env = options.env ?? process.env;
  if (options.kubeconfigPath) return fromKubeconfig([options.kubeconfigPath], options.context);
  const listed = env['KUBECONFIG']?.split(delimiter).filter((path) => path !== '') ?? [];
  if (listed.length > 0) return fromKubeconfig(listed, options.context);
  const serviceAccountFolder = options.serviceAccountFolder ?? SERVICE_ACCOUNT_FOLDER;
  if (env['KUBERNETES_SERVICE_HOST'] && existsSync(join(serviceAccountFolder, 'token'))) {
    return fromServiceAccount(env, serviceAccountFolder);
  }
  const home = join(env['HOME'] ?? homedir(), '.kube', 'config');
  if (existsSync(home)) return fromKubeconfig([home], options.context);
  throw new Error(
    `No way to reach a Kubernetes API: $KUBECONFIG is not set, this is no pod, and ${home} does not exist.`,
  );
}

function fromServiceAccount(env: Readonly<Record<string, string | undefined>>, folder: string): KubeConnection {
  const host = env['KUBERNETES_SERVICE_HOST'] ?? '';
  const namespaceFile = join(folder, 'namespace');
  return {
    // An IPv6 address needs brackets in a URL.
    server: `https://${host.includes(':') ? `[${host}]` : host}:${env['KUBERNETES_SERVICE_PORT'] ?? '443'}`,
    namespace: existsSync(namespaceFile) ? readFileSync(namespaceFile, 'utf8').trim() : 'default',
    caPem: readFileSync(join(folder, 'ca.crt')),
    insecureSkipTlsVerify: false,
    token: new TokenFile(join(folder, 'token')),
  };
}

function fromKubeconfig(paths: readonly string[], context: string | undefined): KubeConnection {
  const config = new KubeConfig();
  for (const path of paths) {
    try {
      const next = new KubeConfig();
      next.loadFromFile(path);
      config.mergeConfig(next, config.currentContext !== undefined);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`Cannot read the kubeconfig ${path}: ${why}`, { cause: error });
    }
  }
  if (context) config.setCurrentContext(context);
  const where = `in the kubeconfig ${paths.join(', ')}`;
  const name = config.getCurrentContext();
  const chosen = config.getContextObject(name);
  if (!chosen) throw new Error(`There is no context "${name ?? ''}" ${where}: choose one of its contexts.`);
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new Error(`The context "${name}" names the cluster "${chosen.cluster}", which is not ${where}.`);
  if (cluster.proxyUrl)
    throw new Error(`The cluster "${cluster.name}" has a proxy-url ${where}: proxies are not supported.`);
  const user = config.getCurrentUser();
  if (user?.impersonateUser)
    throw new Error(`The user "${user.name}" impersonates another ${where}: that is not supported.`);
  if (!user) throw new Error(`The context "${name}" names the user "${chosen.user}", which is not ${where}.`);
  return connectionTo(config, cluster, user, chosen.namespace, tokenFileOf(paths, user.name));
}

function connectionTo(
  config: KubeConfig,
  cluster: Cluster,
  user: User,
  namespace: string | undefined,
  tokenFile: string | undefined,
): KubeConnection {
  const caPem = pem(cluster.caFile, cluster.caData);
  const clientCertPem = pem(user.certFile, user.certData);
  const clientKeyPem = pem(user.keyFile, user.keyData);
  const token = tokenFile ? new TokenFile(tokenFile) : tokenOf(config, user);
  return {
    server: cluster.server.replace(/\/+$/, ''),
    namespace: namespace ?? 'default',
    insecureSkipTlsVerify: cluster.skipTLSVerify ?? false,
    ...(caPem && { caPem }),
    ...(clientCertPem && { clientCertPem }),
    ...(clientKeyPem && { clientKeyPem }),
    ...(cluster.tlsServerName && { serverName: cluster.tlsServerName }),
    ...(token && { token }),
  };
}

function pem(file: string | undefined, base64: string | undefined): Buffer | undefined {
  // Data wins over a file, as in client-go's kubeconfig loader.
  if (base64) return Buffer.from(base64, 'base64');
  return file ? readFileSync(file) : undefined;
}

function tokenOf(config: KubeConfig, user: User): TokenSource | undefined {
  if (user.token) return fixedToken(user.token);
  if (!user.exec && !user.authProvider) return undefined;
  // client-node runs credential plugins and keeps what they return until it expires.
  return {
    async token() {
      const options: { headers?: Record<string, unknown> } = {};
      await config.applyToHTTPSOptions(options);
      const header = String(options.headers?.['Authorization'] ?? '');
      if (!header.startsWith('Bearer ')) throw new Error(`The credential plugin of user "${user.name}" gave no token.`);
      return header.slice('Bearer '.length).trim();
    },
    invalidate: () => undefined,
  };
}

const usersSchema = z.object({
  users: z
    .array(z.object({ name: z.string(), user: z.object({ tokenFile: z.string().optional() }).nullish() }))
    .nullish(),
});

/** `tokenFile` of a user, which client-node does not read; relative paths start at the kubeconfig's folder. */
function tokenFileOf(paths: readonly string[], userName: string): string | undefined {
  for (const path of paths) {
    const users = usersSchema.parse(parse(readFileSync(path, 'utf8'))).users ?? [];
    const tokenFile = users.find((user) => user.name === userName)?.user?.tokenFile;
    if (tokenFile) return resolve(dirname(path), tokenFile);
  }
  return undefined;
}
