import type { GuestCpu } from '../api/virtual-machine-instance.ts';
import { childNamed, childrenNamed, element, type XmlElement } from './xml/element.ts';

/** Namespace of Drover's element in a domain's metadata. A domain without it is not Drover's. */
export const METADATA_URI = 'https://drover.dev/domain/v1';
/** Prefix that libvirt binds to the namespace. */
export const METADATA_PREFIX = 'drover';

/** Whose a domain is and what it was started from: written into it, so that it survives agent and libvirtd. */
export interface DomainIdentity {
  readonly namespace: string;
  /** Name of the VirtualMachine, and of its instance. */
  readonly name: string;
  readonly virtualMachineUID: string;
  readonly epoch: number;
  /** Restart request that the start of this domain carried out; empty: none. */
  readonly restartedAt: string;
  /** When it was asked of libvirt (RFC 3339). */
  readonly startedAt: string;
  /** Boot of the host, or the term of one, that it was started in; a domain that has moved keeps that of its first host. Absent: not said. */
  readonly bootID?: string;
  /** The CPU that the guest was given. Absent: not known. */
  readonly cpu?: GuestCpu;
  /** Digest of what the hardware was made from, by field of the spec: see `power-cycle-fields.ts`. */
  readonly fields: Readonly<Record<string, string>>;
}

/** The element as `domainCreateXml` wants it, with its namespace declared. */
export function identityElement(identity: DomainIdentity): XmlElement {
  const inner = bareIdentityElement(identity);
  const prefixed = (node: XmlElement): XmlElement => ({
    ...node,
    name: `${METADATA_PREFIX}:${node.name}`,
    children: node.children.map(prefixed),
  });
  const root = prefixed(inner);
  return { ...root, attributes: { [`xmlns:${METADATA_PREFIX}`]: METADATA_URI, ...root.attributes } };
}

/** The element as `domainSetMetadata` wants it: libvirt itself puts it into the namespace given with the call. */
export function bareIdentityElement(identity: DomainIdentity): XmlElement {
  const fields = Object.entries(identity.fields)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => element('field', { name }, value));
  return element(
    'vm',
    {
      namespace: identity.namespace,
      name: identity.name,
      uid: identity.virtualMachineUID,
      epoch: identity.epoch,
      restartedAt: identity.restartedAt,
      startedAt: identity.startedAt,
      bootID: identity.bootID,
    },
    [cpuElement(identity.cpu), ...fields],
  );
}

function cpuElement(cpu: GuestCpu | undefined): XmlElement | undefined {
  if (cpu === undefined) return undefined;
  return element('cpu', { model: cpu.model, features: cpu.features?.join(' ') });
}

function readCpu(cpu: XmlElement | undefined): GuestCpu | undefined {
  const { model, features } = cpu?.attributes ?? {};
  if (model) return { model };
  return features ? { features: features.split(' ') } : undefined;
}

/** Drover's element in a domain's `<metadata>`; undefined when it has none, or one that lacks what identifies a VM. */
export function readIdentity(metadata: XmlElement | undefined): DomainIdentity | undefined {
  const root = metadata?.children.find(isOurs);
  if (root === undefined) return undefined;
  const prefix = root.name.slice(0, root.name.indexOf(':') + 1);
  const { namespace, name, uid, epoch = '', restartedAt = '', startedAt = '', bootID } = root.attributes;
  if (!namespace || !name || !uid || !/^[1-9][0-9]{0,14}$/.test(epoch)) return undefined;
  const fields = childrenNamed(root, `${prefix}field`).map((field) => [field.attributes['name'] ?? '', field.text]);
  const cpu = readCpu(childNamed(root, `${prefix}cpu`));
  return {
    namespace,
    name,
    virtualMachineUID: uid,
    epoch: Number(epoch),
    restartedAt,
    startedAt,
    ...(bootID && { bootID }),
    ...(cpu && { cpu }),
    fields: Object.fromEntries(fields),
  };
}

/** By namespace, not by prefix: libvirt declares it on the element itself. */
function isOurs(node: XmlElement): boolean {
  const colon = node.name.indexOf(':');
  const declaration = colon < 0 ? 'xmlns' : `xmlns:${node.name.slice(0, colon)}`;
  return node.attributes[declaration] === METADATA_URI && node.name.slice(colon + 1) === 'vm';
}

export function metadataOf(domain: XmlElement): XmlElement | undefined {
  return childNamed(domain, 'metadata');
}
