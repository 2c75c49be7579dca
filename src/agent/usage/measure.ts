import { Histogram } from 'prom-client';
import type { HostUsage } from '../../api/usage.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { type HostLoad, readHostLoad } from '../../host/index.ts';
import type { SharedInformer } from '../../kube/index.ts';
import { DomainStats, DomainStatsList, type Libvirt } from '../../libvirt/index.ts';
import type { Clock, Metrics } from '../../runtime/index.ts';
import { virtualMachineUsage } from './virtual-machine-usage.ts';

export interface MeasureDependencies {
  /** Name of this host. */
  readonly host: string;
  readonly bootID: string;
  readonly libvirt: Pick<Libvirt, 'call'>;
  /** VirtualMachineInstances whose spec names this host: they tell whose a domain is. */
  readonly instances: SharedInformer<VirtualMachineInstance>;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

const WHAT = DomainStats.CPU_TOTAL | DomainStats.BALLOON | DomainStats.VCPU | DomainStats.INTERFACE | DomainStats.BLOCK;
/** A domain that is busy (migrating, hung on storage) is not waited for: its figures are then fewer. */
const WHICH = DomainStatsList.ACTIVE | DomainStatsList.NOWAIT;
const TIMEOUT_MS = 10_000;
/** However many ask, libvirt is asked once a second. */
const KEPT_MS = 1_000;

/** Measures the load of the host and its VMs; answers within a second of each other are one measurement. */
export function measureUsage(deps: MeasureDependencies): () => Promise<HostUsage> {
  const seconds = new Histogram({
    name: 'drover_usage_measure_seconds',
    help: 'Time to measure the load of the host and all its VMs once.',
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [deps.metrics.registry],
  });
  let newest: { readonly startedMs: number; readonly usage: Promise<HostUsage> } | undefined;
  return async () => {
    const nowMs = deps.clock.monotonicMs();
    if (newest === undefined || nowMs - newest.startedMs >= KEPT_MS) {
      const usage = measure(deps);
      newest = { startedMs: nowMs, usage };
      // A failure is not kept; who waits for it hears of it.
      usage.then(
        () => seconds.observe((deps.clock.monotonicMs() - nowMs) / 1000),
        () => {
          newest = undefined;
        },
      );
    }
    return await newest.usage;
  };
}

async function measure({ host, bootID, libvirt, instances, clock }: MeasureDependencies): Promise<HostUsage> {
  const at = clock.now().toISOString();
  const [load, { retStats }] = await Promise.all([
    readHostLoad(),
    libvirt.call('connectGetAllDomainStats', { doms: [], stats: WHAT, flags: WHICH }, { timeoutMs: TIMEOUT_MS }),
  ]);
  const owners = new Map(instances.list().map((instance) => [instance.spec.domainUUID, instance]));
  const virtualMachines = retStats.flatMap(({ dom, params }) => {
    const owner = owners.get(dom.uuid);
    if (owner === undefined) return [];
    const { namespace = '', name } = owner.metadata;
    return [virtualMachineUsage({ uid: owner.spec.virtualMachineUID, namespace, name }, params)];
  });
  return { host, at, bootID, ...hostPart(load), virtualMachines: virtualMachines.sort(byKey) };
}

function hostPart({ cpu, memory, pressure }: HostLoad): Pick<HostUsage, 'cpu' | 'memory' | 'pressure'> {
  return { cpu, memory, ...(pressure && { pressure }) };
}

type Named = { readonly namespace: string; readonly name: string };

function byKey(a: Named, b: Named): number {
  const [one, other] = [`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`];
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
