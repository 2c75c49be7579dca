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
  /** It was made to take a guest that another host had. */
  hasArrived: boolean;
  /** Its CPUs have executed something on this host. */
  hasRun: boolean;
  reason: number;
  /** Its memory is on its way to another host. */
  job: OutgoingJob | undefined;
  /** Time from the power button until the guest is off, in milliseconds. Undefined: it does not listen. */
  shutdownMs: number | undefined;
  readonly guest: Guest;
}

/** What runs in a domain. */
export interface Guest {
  /** Its tools are installed, and connect when it has booted. */
  hasTools: boolean;
  isConnected: boolean;
  /** Its tools answer. */
  answers: boolean;
  /** It reads and writes all the time. */
  isBusy: boolean;
  /** Number of its boot, so that what was begun in an earlier one comes to nothing. */
  boot: number;
}

export interface OutgoingJob {
  readonly totalBytes: number;
  remainingBytes: number;
  isAborted: boolean;
}

const SHUTDOWN_MS = 3_000;

/**
 * A domain that is being started. Of the XML, which is Drover's own or that of a test, only what counts here is looked for:
 * reading it all would take longer than all else that a start costs.
 */
export function domainFromXml(xml: string, id: number): Domain {
  const disks = [...xml.matchAll(/<disk [\s\S]*?<\/disk>/g)].flatMap(([disk]) => {
    const path = /<source file="([^"]*)"/.exec(disk)?.[1];
    return path === undefined ? [] : [{ path, readOnly: disk.includes('<readonly') }];
  });
  const text = (name: string) => new RegExp(`<${name}[^>]*>([^<]*)<`).exec(xml)?.[1] ?? '';
  return {
    uuid: text('uuid'),
    name: text('name'),
    id,
    xml,
    memoryBytes: Number(text('memory')),
    disks,
    virtualMachineUID: /<drover:vm [^>]*\buid="([^"]*)"/.exec(xml)?.[1],
    state: DomainState.PAUSED,
    reason: PausedReason.STARTING_UP,
    hasArrived: false,
    hasRun: false,
    job: undefined,
    shutdownMs: SHUTDOWN_MS,
    guest: { hasTools: false, isConnected: false, answers: true, isBusy: false, boot: 0 },
  };
}

/** Boot of the host, or term of one, that a domain says it was started for. */
export function startedIn({ xml }: Domain): string | undefined {
  return /<drover:vm [^>]*\bbootID="([^"]*)"/.exec(xml)?.[1];
}
