import { bool, bytes, flags, hyper, int, list, uint, uuid } from '../xdr/schema.ts';
import { struct } from '../xdr/struct.ts';
import { LIST_MAX, needResults, networkRef, optionalText, secretRef, text } from './items.ts';
import { remote } from './procedure.ts';

const net = networkRef;
const secret = secretRef;
const SECRET_VALUE_MAX_BYTES = 65_536;
const lease = struct({
  iface: text,
  expiryTime: hyper,
  type: int,
  mac: optionalText,
  iaid: optionalText,
  ipaddr: text,
  prefix: uint,
  hostname: optionalText,
  clientId: optionalText,
});

/** libvirt's virtual networks. */
export const network = {
  connectListAllNetworks: remote(283, { needResults, flags }, { nets: list(net, LIST_MAX), ret: uint }),
  networkLookupByName: remote(46, { name: text }, { net }),
  networkLookupByUuid: remote(47, { uuid }, { net }),
  networkCreateXmlFlags: remote(437, { xml: text, flags }, { net }),
  networkCreateXml: remote(40, { xml: text }, { net }),
  networkDefineXml: remote(41, { xml: text }, { net }),
  networkUndefine: remote(49, { net }, {}),
  networkCreate: remote(39, { net }, {}),
  networkDestroy: remote(42, { net }, {}),
  networkUpdate: remote(291, { net, command: uint, section: uint, parentIndex: int, xml: text, flags }, {}),
  networkGetXmlDesc: remote(43, { net, flags }, { xml: text }),
  networkGetBridgeName: remote(45, { net }, { name: text }),
  networkGetAutostart: remote(44, { net }, { autostart: bool }),
  networkSetAutostart: remote(48, { net, autostart: bool }, {}),
  networkIsActive: remote(152, { net }, { active: bool }),
  networkIsPersistent: remote(153, { net }, { persistent: bool }),
  networkGetDhcpLeases: remote(
    341,
    { net, mac: optionalText, needResults, flags },
    { leases: list(lease, 65_536), ret: uint },
  ),
};

/** Passphrases that libvirt hands to QEMU without their standing in a domain's XML. */
export const secrets = {
  connectListAllSecrets: remote(287, { needResults, flags }, { secrets: list(secret, LIST_MAX), ret: uint }),
  secretLookupByUuid: remote(141, { uuid }, { secret }),
  secretLookupByUsage: remote(147, { usageType: int, usageId: text }, { secret }),
  secretDefineXml: remote(142, { xml: text, flags }, { secret }),
  secretGetXmlDesc: remote(143, { secret, flags }, { xml: text }),
  secretSetValue: remote(144, { secret, value: bytes(SECRET_VALUE_MAX_BYTES), flags }, {}),
  secretGetValue: remote(145, { secret, flags }, { value: bytes(SECRET_VALUE_MAX_BYTES) }),
  secretUndefine: remote(146, { secret }, {}),
};
