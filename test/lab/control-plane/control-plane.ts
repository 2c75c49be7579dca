import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';
import { kubectlEnvironment, type LabIdentity } from '../identity.ts';
import type { Report } from '../report.ts';
import type { Seen } from '../wait.ts';
import {
  ensureNode,
  ensurePod,
  issueToken,
  type ServiceAccountToken,
  type ServiceAccountTokenRequest,
} from './bound-tokens.ts';
import { HttpsClient, reasonOf } from './https.ts';
import { ServerProcess } from './server-process.ts';
import { apiServerSpec, controllerManagerSpec, etcdSpec, type Pki } from './servers.ts';

const ETCD_READY_TIMEOUT_MS = 30_000;
/** kube-apiserver takes 5 s on an idle machine; a busy one with two cores needs several times that. */
const READY_TIMEOUT_MS = 120_000;

const KUBECTL_OUTPUT_MAX_BYTES = 256 * 1024 * 1024;

const etcdStatus = z.object({ header: z.object({ revision: z.string() }) });
/** Paths. Without kube-controller-manager, nothing but the test itself changes objects. */
export type Programs = Readonly<Record<'kube-apiserver' | 'kubectl', string>> &
  Readonly<Partial<Record<'kube-controller-manager', string>>>;

interface Parts {
  readonly identity: LabIdentity;
  readonly address: string;
  readonly apiServerArgs: readonly string[];
  readonly programs: Programs;
  readonly pki: Pki;
  readonly server: string;
}

/** The Kubernetes of one lab. Every call on one of its servers leaves the others alone. */
export class ControlPlane {
  readonly server: string;
  /** Path of the admin kubeconfig. */
  readonly kubeconfig: string;
  readonly pki: Pki;
  readonly etcd: ServerProcess;
  readonly apiServer: ServerProcess;
  /** Undefined in a control plane that was made without it. */
  readonly controllerManager: ServerProcess | undefined;
  /** Path of kubectl. */
  readonly kubectlProgram: string;
  readonly #admin: HttpsClient;
  readonly #etcdClient: HttpsClient;
  readonly #controllerManagerClient: HttpsClient;

  constructor({ identity, address, apiServerArgs, programs, pki, server }: Parts) {
    const { folder, ports } = identity;
    this.server = server;
    this.kubeconfig = identity.kubeconfig;
    this.pki = pki;
    this.kubectlProgram = programs.kubectl;
    this.#admin = new HttpsClient(server, pki.authority, pki.admin);
    this.#etcdClient = new HttpsClient(`https://127.0.0.1:${ports.etcdClient}`, pki.etcdAuthority, pki.etcdClient);
    this.#controllerManagerClient = new HttpsClient(
      `https://127.0.0.1:${ports.controllerManager}`,
      pki.authority,
      pki.admin,
    );
    const etcd = etcdSpec(identity, pki);
    this.etcd = new ServerProcess(folder, etcd, () => answersOk(this.#etcdClient, '/health'), ETCD_READY_TIMEOUT_MS);
    const apiServer = apiServerSpec(identity, pki, {
      command: programs['kube-apiserver'],
      address,
      extra: apiServerArgs,
    });
    this.apiServer = new ServerProcess(folder, apiServer, () => answersOk(this.#admin, '/readyz'), READY_TIMEOUT_MS);
    const controllerManager = programs['kube-controller-manager'];
    if (controllerManager !== undefined) {
      this.controllerManager = new ServerProcess(
        folder,
        controllerManagerSpec(identity, pki, controllerManager),
        () => answersOk(this.#controllerManagerClient, '/healthz'),
        READY_TIMEOUT_MS,
      );
    }
  }

  async start(report: Report): Promise<void> {
    for (const server of this.#servers()) await report.step(server.name, (progress) => server.start(progress));
  }

  /** Stops all servers. The data stays for the next start. */
  async stop(): Promise<void> {
    for (const server of this.#servers().reverse()) await server.stop();
    await this.close();
  }

  /** In the order in which they need each other. */
  #servers(): ServerProcess[] {
    return [this.etcd, this.apiServer, ...(this.controllerManager ? [this.controllerManager] : [])];
  }

  /** Lets go of the connections, so that the calling program can end. The servers run on. */
  async close(): Promise<void> {
    await Promise.all([this.#admin, this.#etcdClient, this.#controllerManagerClient].map((client) => client.close()));
  }

  /** Forgets every revision of every object but the current one, so that old resource versions are expired. */
  async compactEtcd(): Promise<void> {
    const status = await this.#etcdClient.call('POST', '/v3/maintenance/status', {});
    const { revision } = etcdStatus.parse(status.body).header;
    const answer = await this.#etcdClient.call('POST', '/v3/kv/compaction', { revision, physical: true });
    if (answer.status !== 200)
      throw new Error(`etcd did not compact to revision ${revision}: ${JSON.stringify(answer.body)}`);
  }

  /** Runs kubectl as the admin. @throws with kubectl's own message. @returns what it printed. */
  async kubectl(args: readonly string[], input = ''): Promise<string> {
    const running = promisify(execFile)(this.kubectlProgram, args, {
      maxBuffer: KUBECTL_OUTPUT_MAX_BYTES,
      env: { ...process.env, ...kubectlEnvironment(this) },
    });
    // kubectl may end without reading its input, which is then nobody's loss: what it says about it is what counts.
    running.child.stdin?.on('error', () => undefined).end(input);
    try {
      return (await running).stdout;
    } catch (error) {
      const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
      // What it says is what counts; without a word from it, why it could not run.
      throw said ? new Error(`kubectl ${args.join(' ')}: ${said}`) : error;
    }
  }

  /** Makes the Node if there is none. The lab has no kubelet: the Node only exists for tokens to be bound to. */
  async ensureNode(name: string): Promise<void> {
    await ensureNode(this.#admin, name);
  }

  /** Makes the Pod if there is none. Nothing runs it: it only exists for tokens to be bound to. */
  async ensurePod(pod: { namespace: string; name: string; serviceAccountName: string }): Promise<void> {
    await ensurePod(this.#admin, pod);
  }

  /** @throws when the service account, the Node or the Pod does not exist. */
  async issueServiceAccountToken(request: ServiceAccountTokenRequest): Promise<ServiceAccountToken> {
    return await issueToken(this.#admin, request);
  }
}

async function answersOk(client: HttpsClient, path: string): Promise<Seen<true>> {
  try {
    const answer = await client.call('GET', path);
    if (answer.status === 200) return { ready: true, value: true };
    return { ready: false, because: `${path} answers ${answer.status}` };
  } catch (error) {
    return { ready: false, because: `${path}: ${reasonOf(error)}` };
  }
}
