import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';

/** Whose a domain says that it is. */
export interface DomainOwner {
  readonly namespace: string;
  readonly name: string;
  readonly virtualMachineUID: string;
  readonly epoch: number;
}

/** What becomes of a domain of Drover that this host has no intent for. */
export type LeftoverVerdict =
  /** The VM belongs to another host by a newer placement: this copy must not run. */
  | { readonly verdict: 'Destroy'; readonly epoch: number; readonly why: string }
  /** Nothing proves that it may go: it is left running and shown to people. */
  | { readonly verdict: 'Stray'; readonly message: string }
  /** The intent is for this host and on its way into the cache, or the VM is moving here. */
  | { readonly verdict: 'Wait' };

/** @param live the instance of that name as the API server has it now; undefined: there is none. */
export function judgeLeftover(
  domain: DomainOwner,
  live: VirtualMachineInstance | undefined,
  host: string,
): LeftoverVerdict {
  const vm = `${domain.namespace}/${domain.name}`;
  if (live === undefined) {
    return stray(
      `There is no VirtualMachineInstance ${vm}. Apply the VirtualMachine again, or shut the domain down with virsh.`,
    );
  }
  const { spec } = live;
  if (spec.virtualMachineUID !== domain.virtualMachineUID) {
    return stray(
      `It is of an earlier VirtualMachine ${vm} (uid ${domain.virtualMachineUID}). Shut the domain down with virsh.`,
    );
  }
  if (spec.host === host || spec.migration?.targetHost === host) return { verdict: 'Wait' };
  if (spec.epoch > domain.epoch) {
    const why = `the VM was moved to ${spec.host} with epoch ${spec.epoch}; this domain is of epoch ${domain.epoch}`;
    return { verdict: 'Destroy', epoch: spec.epoch, why };
  }
  return stray(
    `${vm} is placed on ${spec.host} with epoch ${spec.epoch}, which is not newer than epoch ${domain.epoch} of this domain. Find out which copy holds the newer data, and shut the other one down with virsh.`,
  );
}

function stray(message: string): LeftoverVerdict {
  return { verdict: 'Stray', message };
}
