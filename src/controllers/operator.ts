import type { Logger } from 'pino';
import { SYSTEM_NAMESPACE } from '../api/common/names.ts';
import { EventRecorder, type KubeApi, type LeaderElectionOptions, type Leadership } from '../kube/index.ts';
import { type Clock, type Controller, Manager, type Metrics } from '../runtime/index.ts';
import { clusterController } from './cluster/controller.ts';
import { datastoreController } from './datastore/controller.ts';
import type { ControllerDependencies } from './deps.ts';
import { type AskAgent, askAgent } from './ha/ask-agent.ts';
import { type AskLeases, askLeases } from './ha/ask-leases.ts';
import { type OpenDevice, openDevice } from './ha/bmc.ts';
import { failoverController } from './ha/failover.ts';
import { fencingReadyController } from './ha/fencing-ready.ts';
import { isolationController } from './ha/isolation.ts';
import { haPolicyController } from './ha/policy.ts';
import { hostWatchController } from './ha/watch.ts';
import { hostCertificateController } from './host/certificate.ts';
import { hostController } from './host/controller.ts';
import { cpuCompatibleController } from './host/cpu-compatible.ts';
import { evacuationController } from './host/evacuation.ts';
import { Heartbeats } from './host/heartbeats.ts';
import { imageController } from './image/controller.ts';
import { createInformers, type Informers } from './informers.ts';
import { Inventories } from './inventory/inventories.ts';
import { Reservations } from './inventory/reservations.ts';
import { RuleGroups } from './inventory/rule-groups.ts';
import { migrationController } from './migration/controller.ts';
import { portGroupController } from './network/port-group.ts';
import { virtualSwitchController } from './network/virtual-switch.ts';
import { ruleGroupController } from './rule-group/controller.ts';
import { ClientIdentity } from './usage/client-identity.ts';
import { usageController } from './usage/controller.ts';
import { virtualMachineController } from './virtual-machine/controller.ts';
import { volumeController } from './volume/controller.ts';

/** Lease that the operators of a cluster are elected by. */
export const OPERATOR_LEASE = { namespace: SYSTEM_NAMESPACE, name: 'drover-operator' } as const;

/** Events per second: a burst of placements after a power cut is reported whole. */
const EVENTS_PER_SECOND = 50;

export interface OperatorOptions {
  readonly client: KubeApi;
  readonly identity: string;
  readonly leaseDurationMs: number;
  readonly http: { readonly host: string; readonly port: number };
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Absent: the real ones, over the network. */
  readonly openDevice?: OpenDevice;
  readonly askAgent?: AskAgent;
  readonly askLeases?: AskLeases;
}

/** The operator: caches, leader election and one controller per kind. */
export function createOperator(options: OperatorOptions): Manager {
  const { client, log, metrics, clock } = options;
  const onError = (error: unknown) => log.warn({ err: error }, 'a call of the API server failed; it is tried again');
  const informers = createInformers(client, clock, onError);
  const election: LeaderElectionOptions = {
    client,
    lease: OPERATOR_LEASE,
    identity: options.identity,
    leaseDurationMs: options.leaseDurationMs,
    clock,
    onError,
    onNewLeader: (leader) => log.info({ leader, me: leader === options.identity }, 'there is a new leader'),
  };
  return new Manager({
    log,
    metrics,
    clock,
    http: options.http,
    informers: Object.values(informers),
    leaderElection: election,
    controllers: (leadership) => operatorControllers(options, informers, leadership, onError),
  });
}

/** One controller per kind. With a leadership, their writes leave only while it lasts. */
export function operatorControllers(
  {
    client,
    identity,
    log,
    metrics,
    clock,
    openDevice: open = openDevice,
    askAgent: ask = askAgent,
    askLeases: askOthers,
  }: Omit<OperatorOptions, 'http' | 'leaseDurationMs'>,
  informers: Informers,
  leadership: Leadership | undefined,
  onError: (error: unknown) => void,
): Controller[] {
  const fenced = leadership === undefined ? client : client.guardedBy(leadership);
  const events = new EventRecorder({
    client: fenced,
    reportingController: 'drover.dev/operator',
    reportingInstance: identity,
    ratePerSecond: EVENTS_PER_SECOND,
    clock,
    onError,
  });
  const reservations = new Reservations(informers.instances, clock);
  const ruleGroups = new RuleGroups(informers);
  const inventories = new Inventories(informers, reservations, ruleGroups);
  const agentClient = new ClientIdentity(fenced, clock);
  const deps: ControllerDependencies = {
    informers,
    reservations,
    inventories,
    ruleGroups,
    heartbeats: new Heartbeats(informers.leases, informers.hosts, clock),
    agentClient,
    openDevice: open,
    askAgent: ask,
    askLeases:
      askOthers ??
      (async (host, hosts, signal) => await askLeases(host, hosts, await agentClient.published(signal), signal)),
    client: fenced,
    events,
    log,
    metrics,
    clock,
  };
  return [
    clusterController(deps),
    datastoreController(deps),
    cpuCompatibleController(deps),
    evacuationController(deps),
    failoverController(deps),
    fencingReadyController(deps),
    haPolicyController(deps),
    hostCertificateController(deps),
    hostController(deps),
    hostWatchController(deps),
    imageController(deps),
    isolationController(deps),
    migrationController(deps),
    portGroupController(deps),
    ruleGroupController(deps),
    usageController(deps),
    virtualMachineController(deps),
    virtualSwitchController(deps),
    volumeController(deps),
  ];
}
