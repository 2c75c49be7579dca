import type { Host } from '../../api/host.ts';
import type { HostUsage } from '../../api/usage.ts';
import type { ObjectKey } from '../../kube/index.ts';
import {
  CodedError,
  Controller,
  done,
  type ReconcileContext,
  type Result,
  requeueAfter,
  source,
} from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { BY_HOST } from '../informers.ts';
import type { ClientIdentity } from './client-identity.ts';
import { fetchUsage, type UsageEndpoint } from './fetch-usage.ts';
import { exposeUsage } from './metrics.ts';
import { UsageSamples } from './samples.ts';

/** As often as Prometheus usually asks. */
const INTERVAL_MS = 15_000;
/** Hosts asked at once. */
const CONCURRENCY = 32;

/** Asks each agent for the load of its host and VMs, and serves the figures as metrics; none of them goes into the API. */
export function usageController(deps: ControllerDependencies): Controller {
  const samples = new UsageSamples(deps.clock);
  exposeUsage(samples, deps.metrics);
  return new Controller({
    name: 'usage',
    concurrency: CONCURRENCY,
    sources: [source(deps.informers.hosts)],
    reconcile: (key, context) => reconcile(key, context, { deps, samples, identity: deps.agentClient }),
    log: deps.log,
    metrics: deps.metrics,
    clock: deps.clock,
  });
}

interface Scope {
  readonly deps: ControllerDependencies;
  readonly samples: UsageSamples;
  readonly identity: ClientIdentity;
}

async function reconcile(key: ObjectKey, { signal }: ReconcileContext, scope: Scope): Promise<Result> {
  const { deps, samples, identity } = scope;
  const host = deps.informers.hosts.get(key);
  const endpoint = host && endpointOf(host);
  if (endpoint === undefined) {
    samples.forget(key);
    return done;
  }
  const certificate = await identity.published(signal);
  try {
    samples.put(ownPart(await fetchUsage(endpoint, certificate, signal), deps));
  } catch (error) {
    if (error instanceof CodedError) identity.doubt();
    throw error;
  }
  return requeueAfter(INTERVAL_MS, 'the next figures');
}

/** Undefined: the agent serves none yet. */
function endpointOf({ metadata, status }: Host): UsageEndpoint | undefined {
  const { address, usagePort: port, usageCertificate: certificatePem } = status ?? {};
  if (address === undefined || port === undefined || certificatePem === undefined) return undefined;
  return { host: metadata.name, address, port, certificatePem };
}

/** An agent is believed about the VMs that were placed on its host, and about no others. */
function ownPart(usage: HostUsage, { informers }: ControllerDependencies): HostUsage {
  const own = new Set(
    informers.instances
      .byIndex(BY_HOST, usage.host)
      .map(({ spec, metadata }) => `${spec.virtualMachineUID} ${metadata.namespace}/${metadata.name}`),
  );
  return {
    ...usage,
    virtualMachines: usage.virtualMachines.filter(({ uid, namespace, name }) => own.has(`${uid} ${namespace}/${name}`)),
  };
}
