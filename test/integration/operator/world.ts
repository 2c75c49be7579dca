import { Cluster } from '../../../src/api/cluster.ts';
import { API_VERSION, SYSTEM_NAMESPACE } from '../../../src/api/common/names.ts';
import { Datastore } from '../../../src/api/datastore.ts';
import { Host } from '../../../src/api/host.ts';
import { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import type { OpenDevice } from '../../../src/controllers/ha/bmc.ts';
import { createOperator } from '../../../src/controllers/operator.ts';
import {
  type CallRecord,
  type KindRef,
  type KubeClient,
  KubeError,
  type KubeObject,
  leaseKind,
  microTime,
} from '../../../src/kube/index.ts';
import { createLogger, createMetrics, systemClock } from '../../../src/runtime/index.ts';
import { newSealingKey, type SealingKey } from '../../../src/runtime/sealed.ts';
import type { ControlPlane } from '../../lab/control-plane/control-plane.ts';
import { waitFor } from '../../lab/wait.ts';
import { installCrds } from '../api/install-crds.ts';
import { adminClient, type OwnControlPlane, startOwnControlPlane } from '../control-plane.ts';

const AGENT = { fieldManager: 'test-agent', force: true } as const;

/**
 * An API server with Drover's kinds, the operator in this process, and this test in the role of the agents: it writes
 * what they would write. With real agents and libvirt the same is shown by the e2e suite.
 */
export class World {
  readonly client: KubeClient;
  /** Key of every host. */
  readonly sealingKey: SealingKey = newSealingKey();
  /** How the operator reaches BMCs. Absent: over the network. */
  openDevice: OpenDevice | undefined;
  /** Every write that the operator made. */
  readonly writes: CallRecord[] = [];
  readonly #own: OwnControlPlane;
  /** Of the operator that was started last. */
  #metrics = createMetrics();
  #stop: (() => Promise<unknown>) | undefined;

  private constructor(own: OwnControlPlane) {
    this.#own = own;
    this.client = adminClient(own.controlPlane.kubeconfig);
  }

  get controlPlane(): ControlPlane {
    return this.#own.controlPlane;
  }

  static async open(purpose: string): Promise<World> {
    const world = new World(await startOwnControlPlane(purpose));
    await installCrds(world.client);
    await world.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: SYSTEM_NAMESPACE } }, NAMESPACE);
    await world.create(
      {
        apiVersion: API_VERSION,
        kind: 'Cluster',
        metadata: { name: 'lab', annotations: { 'drover.dev/is-default-cluster': 'true' } },
        spec: {},
      },
      Cluster,
    );
    return world;
  }

  async close(): Promise<void> {
    await this.stopOperator();
    await this.client.close();
    await this.#own.remove();
  }

  /** Starts an operator that leads within a second or two, and again when it has ended by itself, as a kubelet does. */
  startOperator(): void {
    const stopping = new AbortController();
    const running = (async () => {
      while (!stopping.signal.aborted) await this.#runOperator(stopping.signal);
    })();
    this.#stop = async () => {
      stopping.abort();
      await running;
    };
  }

  async #runOperator(stop: AbortSignal): Promise<void> {
    const client = adminClient(this.controlPlane.kubeconfig, {
      userAgent: 'drover-operator',
      onCall: (call) => {
        if (!['get', 'list', 'watch', 'raw'].includes(call.verb)) this.writes.push(call);
      },
    });
    this.#metrics = createMetrics();
    const operator = createOperator({
      client,
      identity: `test-${process.hrtime.bigint()}`,
      leaseDurationMs: 3_000,
      http: { host: '127.0.0.1', port: 0 },
      log: createLogger({ name: 'operator', level: process.env['DROVER_LOG_LEVEL'] ?? 'error' }),
      metrics: this.#metrics,
      clock: systemClock,
      ...(this.openDevice && { openDevice: this.openDevice }),
    });
    await operator.run(stop).finally(() => client.close());
  }

  async stopOperator(): Promise<void> {
    await this.#stop?.();
    this.#stop = undefined;
  }

  /** What the operator serves at /metrics. */
  async operatorMetrics(): Promise<string> {
    return await this.#metrics.registry.metrics();
  }

  /** Writes to Drover's kinds and Events; renewals of leases are the pulse of the operator itself. */
  get writesOfNote(): CallRecord[] {
    return this.writes.filter(({ resource }) => resource !== 'leases');
  }

  async create<T extends KubeObject>(object: KubeObject, kind: KindRef<T>): Promise<T> {
    return await this.client.create(kind, object);
  }

  /** A host that its agent reports as ready, with 16 GiB, switch `lan` and the datastores. */
  async addHost(
    name: string,
    status: object = {},
    { labels, spec = {} }: { readonly labels?: object; readonly spec?: object } = {},
  ): Promise<void> {
    const { apiVersion, kind } = { apiVersion: API_VERSION, kind: 'Host' };
    await this.client.apply(
      Host,
      { apiVersion, kind, metadata: { name, ...(labels && { labels }) }, spec } as KubeObject,
      AGENT,
    );
    await this.beat(name);
    await this.client.applyStatus(
      Host,
      {
        apiVersion,
        kind,
        metadata: { name },
        status: {
          address: `192.0.2.${name.replaceAll(/\D/g, '') || '99'}`,
          virtualization: 'qemu',
          capacity: { cpuCores: 8, memoryBytes: 16 * 2 ** 30 },
          datastores: [{ name: 'shared', available: true, id: 'one', message: '' }],
          switches: [{ name: 'lan', available: true, message: '' }],
          sealingKey: this.sealingKey.publicKey,
          conditions: [condition('Ready', 'True')],
          ...status,
        },
      },
      AGENT,
    );
  }

  /** Renews a host's lease, good for a day: hosts of these tests fall silent only when a test says so. */
  async beat(host: string, leaseDurationSeconds = 86_400): Promise<void> {
    const metadata = { name: `host-${host}`, namespace: SYSTEM_NAMESPACE };
    const spec = { holderIdentity: host, leaseDurationSeconds, renewTime: microTime(new Date()) };
    await this.client.apply(leaseKind, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec }, AGENT);
  }

  async addDatastore(name: string, shared = true): Promise<void> {
    const spec = { type: 'Directory', path: `/ds/${name}`, shared };
    await this.create({ apiVersion: API_VERSION, kind: 'Datastore', metadata: { name }, spec }, Datastore);
  }

  async addVM(name: string, spec: object = {}, metadata: object = {}): Promise<VirtualMachine> {
    const object = {
      apiVersion: API_VERSION,
      kind: 'VirtualMachine',
      metadata: { name, namespace: 'default', ...metadata },
      spec: { memory: { size: '1Gi' }, ...spec },
    };
    return await this.create(object, VirtualMachine);
  }

  async editVM(name: string, spec: object): Promise<void> {
    await this.client.patch(VirtualMachine, { namespace: 'default', name }, { type: 'merge', body: { spec } });
  }

  /** What an agent writes when it has done what the intent says. */
  async agentReports(instance: VirtualMachineInstance, phase: string, status: object = {}): Promise<void> {
    const { metadata, spec } = instance;
    const own = {
      phase,
      host: spec.host,
      observedEpoch: spec.epoch,
      observedGeneration: metadata.generation,
      ...status,
    };
    await this.client.applyStatus(
      VirtualMachineInstance,
      {
        apiVersion: API_VERSION,
        kind: 'VirtualMachineInstance',
        metadata: { name: metadata.name, namespace: metadata.namespace },
        status: own,
      },
      AGENT,
    );
  }

  /** The VM as soon as it is as expected. */
  async vmWhen(name: string, what: string, holds: (vm: VirtualMachine) => boolean): Promise<VirtualMachine> {
    return await this.when(VirtualMachine, name, what, holds);
  }

  async instanceWhen(name: string, what: string, holds: (instance: VirtualMachineInstance) => boolean = () => true) {
    return await this.when(VirtualMachineInstance, name, what, holds);
  }

  async when<T extends KubeObject>(
    kind: KindRef<T>,
    name: string,
    what: string,
    holds: (object: T) => boolean,
  ): Promise<T> {
    const ref = kind.namespaced ? { name, namespace: 'default' } : { name };
    return await waitFor(
      `${kind.kind} ${name} ${what}`,
      async () => {
        try {
          const object = await this.client.get(kind, ref);
          return holds(object)
            ? { ready: true, value: object }
            : { ready: false, because: JSON.stringify(object.status) };
        } catch (error) {
          if (error instanceof KubeError && error.isNotFound()) return { ready: false, because: 'it does not exist' };
          throw error;
        }
      },
      { timeoutMs: 30_000 },
    );
  }

  async gone(kind: KindRef, name: string): Promise<void> {
    const ref = kind.namespaced ? { name, namespace: 'default' } : { name };
    await waitFor(
      `${kind.kind} ${name} to be gone`,
      async () => {
        try {
          const { metadata, status } = await this.client.get(kind, ref);
          return { ready: false, because: JSON.stringify({ finalizers: metadata.finalizers, status }) };
        } catch (error) {
          if (error instanceof KubeError && error.isNotFound()) return { ready: true, value: undefined };
          throw error;
        }
      },
      { timeoutMs: 30_000 },
    );
  }
}

export interface SecretObject extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

export const Secret: KindRef<SecretObject> = {
  group: '',
  version: 'v1',
  plural: 'secrets',
  kind: 'Secret',
  namespaced: true,
};

export const NAMESPACE: KindRef = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
};

export function condition(type: string, status: 'True' | 'False' | 'Unknown') {
  return { type, status, reason: 'Test', message: '', lastTransitionTime: new Date().toISOString() };
}

interface WithConditions {
  status?:
    | {
        phase?: string | undefined;
        conditions: readonly { type: string; status: string; reason: string; message: string }[];
      }
    | undefined;
}

/** The condition of an object by type. */
export function conditionOf(object: WithConditions, type: string) {
  return object.status?.conditions.find((each) => each.type === type);
}

/** Whether a controller has found that the object waits for something; one that nobody has seen is Pending, too. */
export function isWaiting(object: WithConditions): boolean {
  return object.status?.phase === 'Pending' && conditionOf(object, 'Ready')?.reason !== 'NotSeenYet';
}
