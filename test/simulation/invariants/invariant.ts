import type { ApiServer, Commit } from '../api/server.ts';
import type { Domain } from '../hosts/domain.ts';
import type { SimulatedHost } from '../hosts/host.ts';
import type { SimulatedBmc } from '../world/bmc.ts';
import type { World } from '../world/world.ts';

/** The world as invariants look at it. */
export interface Seen {
  readonly hosts: readonly SimulatedHost[];
  readonly server: ApiServer;
  readonly bmcs: ReadonlyMap<string, SimulatedBmc>;
  /** An operator has seen things late, or stood still: what it decided then was right for what it saw. */
  readonly wereOperatorsMisled: boolean;
  /** The same of a host. */
  readonly wasMisled: (host: string) => boolean;
}

/** What happened on a host to a domain, in the words of the log. */
export interface DomainFact {
  readonly host: string;
  readonly domain: Domain;
  readonly what: string;
}

/** One promise that holds at every moment. A verdict is a sentence about how it was broken; undefined: it holds. */
export interface Invariant {
  readonly name: string;
  /** Asked after every step that has changed something. */
  readonly holds?: (seen: Seen) => string | undefined;
  /** Asked about every change of an object. */
  readonly onCommit?: (commit: Commit, seen: Seen & { readonly byUser: boolean }) => string | undefined;
  /** Asked about everything that happens to a domain. */
  readonly onDomain?: (fact: DomainFact, seen: Seen) => string | undefined;
  /** Told when etcd was brought back to an earlier state: what was written since has never been. */
  readonly onRestore?: () => void;
  /** Told after every step of a world with high availability. */
  readonly onStep?: (world: World) => void;
  /** Asked when an operator orders the BMC of a host to cut the power. */
  readonly onFence?: (host: SimulatedHost, operator: string, world: World) => string | undefined;
}
