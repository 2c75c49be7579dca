import { bool, flags, int, list, optional } from '../xdr/schema.ts';
import { domainRef, optionalText } from './items.ts';
import { remote } from './procedure.ts';

/** Procedures about one connection, which only that connection itself may call. */
export const SESSION = {
  /** 0 none, 1 SASL, 2 polkit. */
  authList: remote(66, {}, { types: list(int, 20) }),
  connectSupportsFeature: remote(60, { feature: int }, { supported: bool }),
  connectOpen: remote(1, { name: optionalText, flags }, {}),
  /** One registration for all domains when `dom` is left out. */
  connectDomainEventCallbackRegisterAny: remote(316, { eventId: int, dom: optional(domainRef) }, { callbackId: int }),
  connectDomainEventCallbackDeregisterAny: remote(317, { callbackId: int }, {}),
};
