import { bool, flags, int, uhyper } from '../xdr/schema.ts';
import { needResults, optionalText, text, texts } from './items.ts';
import { remote } from './procedure.ts';

const emulatorTarget = { emulator: optionalText, arch: optionalText, machine: optionalText, virtType: optionalText };

/** The daemon, the hypervisor's capabilities, CPU models. */
export const connect = {
  connectGetType: remote(3, {}, { type: text }),
  /** Versions are major * 1,000,000 + minor * 1,000 + release. */
  connectGetVersion: remote(4, {}, { hvVer: uhyper }),
  connectGetLibVersion: remote(157, {}, { libVer: uhyper }),
  connectGetHostname: remote(59, {}, { hostname: text }),
  connectGetUri: remote(110, {}, { uri: text }),
  connectGetSysinfo: remote(203, { flags }, { sysinfo: text }),
  connectIsSecure: remote(149, {}, { secure: bool }),
  connectGetMaxVcpus: remote(5, { type: optionalText }, { maxVcpus: int }),
  connectGetCapabilities: remote(7, {}, { capabilities: text }),
  connectGetDomainCapabilities: remote(
    342,
    { emulatorBin: optionalText, arch: optionalText, machine: optionalText, virtType: optionalText, flags },
    { capabilities: text },
  ),
  connectCompareCpu: remote(158, { xml: text, flags }, { result: int }),
  connectBaselineCpu: remote(162, { xmlCpus: texts(256), flags }, { cpu: text }),
  connectCompareHypervisorCpu: remote(393, { ...emulatorTarget, xmlCpu: text, flags }, { result: int }),
  connectBaselineHypervisorCpu: remote(394, { ...emulatorTarget, xmlCpus: texts(256), flags }, { cpu: text }),
  connectGetCpuModelNames: remote(312, { arch: text, needResults, flags }, { models: texts(8192), ret: int }),
  connectDomainXmlFromNative: remote(135, { nativeFormat: text, nativeConfig: text, flags }, { domainXml: text }),
  connectDomainXmlToNative: remote(136, { nativeFormat: text, domainXml: text, flags }, { nativeConfig: text }),
};
