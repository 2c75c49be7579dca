import { bool, flags, int, list, uhyper, uint, uuid } from '../xdr/schema.ts';
import { struct } from '../xdr/struct.ts';
import { paramsOf, typedParams } from '../xdr/typedParams.ts';
import { domainRef, LIST_MAX, needResults, optionalText, text } from './items.ts';
import { remote } from './procedure.ts';

const dom = domainRef;
const ALL_STATS_PARAMS_MAX = 262_144;

/** The parameters of save and restore, all optional but `file`. */
const saveParams = { file: 'string', dxml: 'string' } as const;

/** A domain's life: finding it, starting it, stopping it, its XML, its state. */
export const domain = {
  connectListAllDomains: remote(273, { needResults, flags }, { domains: list(dom, LIST_MAX), ret: uint }),
  domainLookupById: remote(22, { id: int }, { dom }),
  domainLookupByUuid: remote(24, { uuid }, { dom }),
  domainLookupByName: remote(23, { name: text }, { dom }),

  domainCreateXml: remote(10, { xmlDesc: text, flags }, { dom }),
  domainDefineXmlFlags: remote(350, { xml: text, flags }, { dom }),
  domainCreateWithFlags: remote(196, { dom, flags }, { dom }),
  domainUndefineFlags: remote(231, { dom, flags }, {}),
  domainSuspend: remote(34, { dom }, {}),
  domainResume: remote(28, { dom }, {}),
  domainShutdownFlags: remote(258, { dom, flags }, {}),
  domainReboot: remote(27, { dom, flags }, {}),
  domainReset: remote(245, { dom, flags }, {}),
  domainDestroyFlags: remote(234, { dom, flags }, {}),
  domainInjectNmi: remote(210, { dom, flags }, {}),
  domainSendKey: remote(226, { dom, codeset: uint, holdTimeMs: uint, keycodes: list(uint, 16), flags }, {}),
  domainSetLifecycleAction: remote(390, { dom, type: uint, action: uint, flags }, {}),
  domainIsActive: remote(150, { dom }, { active: bool }),
  domainIsPersistent: remote(151, { dom }, { persistent: bool }),

  domainGetXmlDesc: remote(14, { dom, flags }, { xml: text }),
  domainGetState: remote(212, { dom, flags }, { state: int, reason: int }),
  /** Memory in KiB, CPU time in nanoseconds. */
  domainGetInfo: remote(16, { dom }, { state: uint, maxMem: uhyper, memory: uhyper, nrVirtCpu: uint, cpuTime: uhyper }),
  /** `stateTime` is how long, in milliseconds, the monitor has been busy with the command that it is in. */
  domainGetControlInfo: remote(229, { dom, flags }, { state: uint, details: uint, stateTime: uhyper }),
  domainGetMessages: remote(426, { dom, flags }, { msgs: list(text, 2048) }),
  domainSetMetadata: remote(
    264,
    { dom, type: int, metadata: optionalText, key: optionalText, uri: optionalText, flags },
    {},
  ),
  domainGetMetadata: remote(265, { dom, type: int, uri: optionalText, flags }, { metadata: text }),

  /** All running domains when `doms` is empty; `stats` chooses groups by DomainStats bits, 0 for all. */
  connectGetAllDomainStats: remote(
    344,
    { doms: list(dom, LIST_MAX), stats: flags, flags },
    { retStats: list(struct({ dom, params: typedParams(ALL_STATS_PARAMS_MAX) }), LIST_MAX) },
  ),

  domainSaveFlags: remote(232, { dom, to: text, dxml: optionalText, flags }, {}, 'job'),
  domainSaveParams: remote(440, { dom, params: paramsOf(64, saveParams), flags }, {}, 'job'),
  domainRestoreFlags: remote(233, { from: text, dxml: optionalText, flags }, {}, 'job'),
  domainRestoreParams: remote(441, { params: paramsOf(64, saveParams), flags }, {}, 'job'),
  domainSaveImageGetXmlDesc: remote(235, { file: text, flags }, { xml: text }),
  domainSaveImageDefineXml: remote(236, { file: text, dxml: text, flags }, {}),
  domainManagedSave: remote(182, { dom, flags }, {}, 'job'),
  domainHasManagedSaveImage: remote(183, { dom, flags }, { result: bool }),
  domainManagedSaveRemove: remote(184, { dom, flags }, {}),
  domainCoreDumpWithFormat: remote(334, { dom, to: text, dumpFormat: uint, flags }, {}, 'job'),
};
