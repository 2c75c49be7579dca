/** The room's public interface: other rooms import from here. */
export { domainName, keyOfDomain } from './domain-name.ts';
export { domainXml, type HostSide, type Intent, identityOf } from './domain-xml.ts';
export { type DomainFacts, domainFacts } from './facts.ts';
export { bareIdentityElement, type DomainIdentity, METADATA_PREFIX, METADATA_URI } from './identity.ts';
export type { NicPort } from './nics.ts';
export { changedFields, type PowerCycleField } from './power-cycle-fields.ts';
export { type LoggedRun, type LoggedStop, lastLoggedRun } from './qemu-log.ts';
export { renderXml, XmlTextError } from './xml/render.ts';
