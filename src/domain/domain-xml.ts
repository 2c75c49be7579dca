import type { VirtualMachineInstanceSpec } from '../api/virtual-machine-instance.ts';
import { standardDevices, watchdogElement } from './devices.ts';
import { diskElement, scsiControllerElement, seedElement } from './disks.ts';
import { domainName } from './domain-name.ts';
import { type DomainIdentity, identityElement } from './identity.ts';
import { type NicPort, nicElement } from './nics.ts';
import { powerCycleFields } from './power-cycle-fields.ts';
import { element, type XmlElement } from './xml/element.ts';
import { renderXml } from './xml/render.ts';

/** What a domain needs to know of the host that runs it. */
export interface HostSide {
  /** libvirt domain type: kvm, or qemu (emulation) where KVM does not work. */
  readonly virtualization: 'kvm' | 'qemu';
  /** File that keeps what the guest writes to its serial console. */
  readonly consoleLogPath: string;
  /** NoCloud seed made for this start. Absent: the VM has no cloud-init. */
  readonly seedPath?: string;
  /** Port of each NIC, by the NIC's name. */
  readonly ports: ReadonlyMap<string, NicPort>;
  /** CPU features that a guest can be given, sorted. Absent: not known. */
  readonly cpuFeatures?: readonly string[];
  /** Boot of the host, or the term of one, that the start is for. Absent: not said. */
  readonly bootID?: string;
}

/** A VirtualMachineInstance, as far as its domain depends on it. */
export interface Intent {
  readonly namespace: string;
  readonly name: string;
  readonly spec: VirtualMachineInstanceSpec;
}

/**
 * The domain that carries out an intent on a host, for `domainCreateXml`.
 * @throws XmlTextError when a value holds a character that XML cannot carry; Error when a NIC has no port.
 */
export function domainXml(intent: Intent, host: HostSide, startedAt: string): string {
  return renderXml(domainElement(intent, host, identityOf(intent, startedAt, host)));
}

/**
 * What the domain of an intent says of itself.
 * @param host of its CPU features, none are the same as not known
 */
export function identityOf(
  { namespace, name, spec }: Intent,
  startedAt: string,
  { cpuFeatures, bootID }: Pick<HostSide, 'cpuFeatures' | 'bootID'> = {},
): DomainIdentity {
  const { model } = spec.cpu;
  const features = cpuFeatures === undefined || cpuFeatures.length === 0 ? undefined : [...cpuFeatures];
  return {
    namespace,
    name,
    virtualMachineUID: spec.virtualMachineUID,
    epoch: spec.epoch,
    restartedAt: spec.restartedAt,
    startedAt,
    ...(bootID !== undefined && { bootID }),
    ...(model === undefined ? features && { cpu: { features } } : { cpu: { model } }),
    fields: powerCycleFields(spec),
  };
}

function domainElement(intent: Intent, host: HostSide, identity: DomainIdentity): XmlElement {
  const { spec } = intent;
  const { sockets, coresPerSocket, threads } = spec.cpu;
  return element('domain', { type: host.virtualization }, [
    element('name', {}, domainName(intent)),
    element('uuid', {}, spec.domainUUID),
    element('metadata', {}, [identityElement(identity)]),
    element('memory', { unit: 'b' }, String(spec.memoryBytes)),
    element('currentMemory', { unit: 'b' }, String(spec.memoryBytes)),
    element('vcpu', { placement: 'static' }, String(sockets * coresPerSocket * threads)),
    element('os', {}, [element('type', { arch: 'x86_64', machine: spec.machineType }, 'hvm')]),
    element('features', {}, [element('acpi'), element('apic'), element('vmcoreinfo', { state: 'on' })]),
    cpuElement(spec.cpu),
    clockElement(host.virtualization),
    // A stopped domain leaves nothing behind on the host; whether it starts again is decided by the intent.
    element('on_poweroff', {}, 'destroy'),
    element('on_reboot', {}, 'restart'),
    // A panic stays to be seen, also by an agent that was away, and what is done about it is decided by the policy.
    element('on_crash', {}, 'preserve'),
    // A guest that puts itself to sleep would look like one that hangs.
    element('pm', {}, [element('suspend-to-mem', { enabled: 'no' }), element('suspend-to-disk', { enabled: 'no' })]),
    element('devices', {}, devices(intent, host)),
  ]);
}

function devices({ namespace, name, spec }: Intent, host: HostSide): (XmlElement | undefined)[] {
  const nics = spec.nics.map((nic) => {
    const port = host.ports.get(nic.name);
    if (port === undefined) {
      throw new Error(`NIC ${nic.name} of ${namespace}/${name} has no port on VirtualSwitch ${nic.virtualSwitchName}`);
    }
    return nicElement(nic, port);
  });
  return [
    scsiControllerElement(spec.disks),
    ...spec.disks.map(diskElement),
    host.seedPath === undefined ? undefined : seedElement(host.seedPath),
    ...nics,
    ...standardDevices(host.consoleLogPath),
    watchdogElement(spec.watchdog),
  ];
}

/**
 * The model of the Cluster's baseline, or nothing at all where the host cannot present it. Without one all that the host has
 * and libvirt knows by name, so that libvirt itself refuses a host that lacks any of it.
 */
function cpuElement(cpu: VirtualMachineInstanceSpec['cpu']): XmlElement {
  const { sockets, coresPerSocket: cores, threads, model } = cpu;
  const topology = element('topology', { sockets, dies: 1, cores, threads });
  if (model !== undefined) {
    // Full checks would fault QEMU for features that it adds to every guest, as `hypervisor`.
    const exact = { mode: 'custom', match: 'exact', check: 'partial' };
    return element('cpu', exact, [element('model', { fallback: 'forbid' }, model), topology]);
  }
  return element('cpu', { mode: 'host-model' }, [topology]);
}

/** libvirt's advice for KVM guests: lost ticks are caught up by the clock, not by the timer; no HPET, which costs exits. */
function clockElement(virtualization: HostSide['virtualization']): XmlElement {
  const timers = [
    element('timer', { name: 'rtc', tickpolicy: 'catchup' }),
    element('timer', { name: 'pit', tickpolicy: 'delay' }),
    element('timer', { name: 'hpet', present: 'no' }),
  ];
  return element('clock', { offset: 'utc' }, virtualization === 'kvm' ? timers : []);
}
