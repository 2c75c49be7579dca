import { flags, hyper, int, list, uhyper, uint } from '../xdr/schema.ts';
import { struct } from '../xdr/struct.ts';
import { typedParams } from '../xdr/typedParams.ts';
import { domainRef, optionalText, text, texts } from './items.ts';
import { qemu, remote, streaming } from './procedure.ts';

const dom = domainRef;
const address = struct({ type: int, addr: text, prefix: uint });
const networkInterface = struct({ name: text, hwaddr: optionalText, addrs: list(address, 2048) });
const filesystem = struct({ mountpoint: text, name: text, fstype: text, devAliases: texts(256) });

/** What the guest itself answers (through qemu-guest-agent), its console and its screen. */
export const guest = {
  domainFsfreeze: remote(335, { dom, mountpoints: texts(256), flags }, { filesystems: int }, 'guest'),
  domainFsthaw: remote(336, { dom, mountpoints: texts(256), flags }, { filesystems: int }, 'guest'),
  /** `minimum` in bytes: shorter free ranges are left alone. */
  domainFstrim: remote(294, { dom, mountPoint: optionalText, minimum: uhyper, flags }, {}, 'guest'),
  domainGetFsinfo: remote(349, { dom, flags }, { info: list(filesystem, 256), ret: uint }, 'guest'),
  domainGetGuestInfo: remote(418, { dom, types: flags, flags }, { params: typedParams(2048) }, 'guest'),
  domainInterfaceAddresses: remote(
    353,
    { dom, source: uint, flags },
    { ifaces: list(networkInterface, 2048) },
    'guest',
  ),
  domainGetHostname: remote(277, { dom, flags }, { hostname: text }, 'guest'),
  domainGetTime: remote(337, { dom, flags }, { seconds: hyper, nseconds: uint }, 'guest'),
  domainSetTime: remote(338, { dom, seconds: hyper, nseconds: uint, flags }, {}, 'guest'),
  domainSetUserPassword: remote(357, { dom, user: optionalText, password: optionalText, flags }, {}, 'guest'),
  /** Seconds, or one of the negative values of AgentTimeout. */
  domainAgentSetResponseTimeout: remote(420, { dom, timeoutSeconds: int, flags }, { result: int }),
  /** One JSON command to qemu-guest-agent and its JSON answer. */
  qemuDomainAgentCommand: qemu(3, { dom, cmd: text, timeoutSeconds: int, flags }, { result: optionalText }, 'guest'),
  /** Straight to QEMU's monitor, past libvirt's own records (it marks the domain tainted): for debugging only. */
  qemuDomainMonitorCommand: qemu(1, { dom, cmd: text, flags }, { result: text }),

  /** `devName` null is the first console or serial port. */
  domainOpenConsole: streaming(201, { dom, devName: optionalText, flags }, {}, 'both'),
  domainOpenChannel: streaming(296, { dom, name: optionalText, flags }, {}, 'both'),
  domainScreenshot: streaming(211, { dom, screen: uint, flags }, { mime: optionalText }, 'download'),
};
