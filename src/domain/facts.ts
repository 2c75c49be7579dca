import { GUEST_AGENT_CHANNEL } from './devices.ts';
import { type DomainIdentity, metadataOf, readIdentity } from './identity.ts';
import { childNamed, childrenNamed, type XmlElement } from './xml/element.ts';
import { parseXml } from './xml/parse.ts';

/** What a running domain's XML tells. Its state is not in the XML. */
export interface DomainFacts {
  readonly name: string;
  readonly uuid: string;
  /** Absent: the domain is not Drover's, and must not be touched. */
  readonly identity?: DomainIdentity;
  /** Whether qemu-guest-agent has its channel open. */
  readonly guestAgentConnected: boolean;
}

/**
 * Reads a domain's XML, Drover's or not.
 * @throws XmlSyntaxError
 */
export function domainFacts(xml: string): DomainFacts {
  const domain = parseXml(xml);
  const identity = readIdentity(metadataOf(domain));
  return {
    name: childNamed(domain, 'name')?.text ?? '',
    uuid: childNamed(domain, 'uuid')?.text ?? '',
    guestAgentConnected: childrenNamed(childNamed(domain, 'devices'), 'channel').some(isOpenGuestAgent),
    ...(identity && { identity }),
  };
}

function isOpenGuestAgent(channel: XmlElement): boolean {
  const target = childNamed(channel, 'target')?.attributes;
  return target?.['name'] === GUEST_AGENT_CHANNEL && target['state'] === 'connected';
}
