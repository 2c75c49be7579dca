import type { Logger } from 'pino';
import type { EventRecorder, KubeApi } from '../kube/index.ts';
import type { Clock, Metrics } from '../runtime/index.ts';
import type { AskAgent } from './ha/ask-agent.ts';
import type { AskLeases } from './ha/ask-leases.ts';
import type { OpenDevice } from './ha/bmc.ts';
import type { Heartbeats } from './host/heartbeats.ts';
import type { Informers } from './informers.ts';
import type { Inventories } from './inventory/inventories.ts';
import type { Reservations } from './inventory/reservations.ts';
import type { RuleGroups } from './inventory/rule-groups.ts';
import type { ClientIdentity } from './usage/client-identity.ts';

/** What every controller of the operator is given. */
export interface ControllerDependencies {
  readonly informers: Informers;
  readonly reservations: Reservations;
  readonly inventories: Inventories;
  readonly ruleGroups: RuleGroups;
  readonly heartbeats: Heartbeats;
  /** Asks the agent of a host directly whether it lives. */
  readonly askAgent: AskAgent;
  /** Asks the agents of other hosts what they see of the lease of one on storage. */
  readonly askLeases: AskLeases;
  /** By what agents know the operator. */
  readonly agentClient: ClientIdentity;
  /** How the BMC of a host is reached. */
  readonly openDevice: OpenDevice;
  /** Writes with it leave only while this process leads. */
  readonly client: KubeApi;
  readonly events: EventRecorder;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
}
