import { OPERATOR_LEASE } from '../../../src/controllers/operator.ts';
import { isLaterTerm } from '../../../src/core/ha/term.ts';
import { type KindRef, KubeError, type KubeObject, leaseKind, type ObjectRef } from '../../../src/kube/index.ts';
import { isJson } from './field-set.ts';
import type { ApiServer } from './server.ts';

/** Asked by the API server about each write of a client; refuses by throwing. */
export type Admission = (kind: KindRef, ref: ObjectRef, subresource: 'status' | undefined) => void;

/** Of an operator's writes only those of the leader are taken: `deploy/42-admission-leader.yaml`. */
export function leadersOnly(server: ApiServer, identity: string): Admission {
  return ({ group }) => {
    if (group !== 'drover.dev') return;
    const spec = server.find(leaseKind, OPERATOR_LEASE)?.spec;
    if (isJson(spec) && spec['holderIdentity'] === identity) return;
    throw forbidden(`${identity} does not hold the leader lease`);
  };
}

/** An agent writes only about what is on its host: `deploy/40-admission-agents.yaml`. */
export function ownHostOnly(server: ApiServer, host: string): Admission {
  return (kind, ref, subresource) => {
    if (subresource !== 'status') return;
    const live = server.find(kind, ref);
    if (live === undefined) return;
    if (assignedHost(kind, live.metadata.name, live.spec, live.status) === host) return;
    throw forbidden(`the agent of host ${host} writes only statuses of what is on that host`);
  };
}

/** A claim never goes back to an earlier term: the rule of VirtualMachineInstance that its CRD holds. */
export function refuseEarlierTerm(server: ApiServer, kind: KindRef, object: KubeObject): void {
  if (kind.plural !== 'virtualmachineinstances' || !isJson(object.status)) return;
  const { bootID, observedEpoch } = object.status;
  const live = server.find(kind, object.metadata);
  if (typeof bootID !== 'string' || live === undefined) return;
  const told = isJson(live.status) ? live.status['bootID'] : undefined;
  const placed = isJson(live.spec) && live.spec['epoch'] === observedEpoch ? live.spec['bootID'] : undefined;
  if (![told, placed].some((known) => typeof known === 'string' && isLaterTerm(known, bootID))) return;
  const message = 'status.bootID is an earlier term of the same boot than the one that was claimed, or placed, before';
  throw new KubeError({ code: 422, reason: 'Invalid', message });
}

/** The epoch of a VM's last placement only grows: the rule of VirtualMachine's status that its CRD holds. */
export function refuseEarlierEpoch(server: ApiServer, kind: KindRef, object: KubeObject): void {
  if (kind.plural !== 'virtualmachines' || !isJson(object.status)) return;
  const live = server.find(kind, object.metadata)?.status;
  const known = isJson(live) ? Number(live['epoch'] ?? 0) : 0;
  if (Number(object.status['epoch'] ?? 0) >= known) return;
  throw new KubeError({ code: 422, reason: 'Invalid', message: 'status.epoch can only grow' });
}

function assignedHost({ plural }: KindRef, name: string, spec: unknown, status: unknown): unknown {
  switch (plural) {
    case 'hosts':
      return name;
    case 'virtualmachineinstances':
      return isJson(spec) ? spec['host'] : undefined;
    default:
      return isJson(status) ? status['host'] : undefined;
  }
}

function forbidden(message: string): KubeError {
  return new KubeError({ code: 403, reason: 'Forbidden', message });
}
