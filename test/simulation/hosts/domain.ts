import { metadataOf, readIdentity } from '../../../src/domain/identity.ts';
import { childNamed, childrenNamed } from '../../../src/domain/xml/element.ts';
import { parseXml } from '../../../src/domain/xml/parse.ts';
import { DomainState, PausedReason } from '../../../src/libvirt/index.ts';

/** A QEMU process, as libvirt knows it. */
export interface Domain {
  readonly uuid: string;
  readonly name: string;
  /** Another number at each start. */
  readonly id: number;
  xml: string;
  readonly memoryBytes: number;
  readonly disks: readonly { readonly path: string; readonly readOnly: boolean }[];
  /** uid of the VirtualMachine. Undefined: not Drover's. */
  readonly virtualMachineUID: string | undefined;
  state: number;
  reason: number;
  /** Its memory is on its way to another host. */
  job: OutgoingJob | undefined;
  /** Time from the power button until the guest is off, in milliseconds. Undefined: it does not listen. */
  shutdownMs: number | undefined;
}

export interface OutgoingJob {
  readonly totalBytes: number;
  remainingBytes: number;
  isAborted: boolean;
}

const SHUTDOWN_MS = 3_000;

/** A domain that is being started. @throws Error when the XML is none */
export function domainFromXml(xml: string, id: number): Domain {
  const root = parseXml(xml);
  const disks = childrenNamed(childNamed(root, 'devices'), 'disk').flatMap((disk) => {
    const path = childNamed(disk, 'source')?.attributes['file'];
    return path === undefined ? [] : [{ path, readOnly: childNamed(disk, 'readonly') !== undefined }];
  });
  return {
    uuid: childNamed(root, 'uuid')?.text ?? '',
    name: childNamed(root, 'name')?.text ?? '',
    id,
    xml,
    memoryBytes: Number(childNamed(root, 'memory')?.text ?? 0),
    disks,
    virtualMachineUID: readIdentity(metadataOf(root))?.virtualMachineUID,
    state: DomainState.PAUSED,
    reason: PausedReason.STARTING_UP,
    job: undefined,
    shutdownMs: SHUTDOWN_MS,
  };
}
