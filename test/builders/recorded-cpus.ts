/** A CPU of a real machine: libvirt's model, and what it has beyond that or lacks of it. */
export interface RecordedCpu {
  readonly model: string;
  readonly vendor: 'Intel' | 'AMD';
  readonly adds: readonly string[];
  readonly lacks: readonly string[];
}

const INTEL = 'acpi ds ds_cpl dca dtes64 est ht invtsc monitor pbe pdcm ss tm tm2 vmx xtpr';
const AMD = 'cmp_legacy extapic ht invtsc osxsave perfctr_nb skinit tce topoext wdt';

function cpu(vendor: RecordedCpu['vendor'], model: string, adds: string, lacks = ''): RecordedCpu {
  const common = vendor === 'Intel' ? INTEL : AMD;
  return { model, vendor, adds: `${common} ${adds}`.split(' '), lacks: lacks === '' ? [] : lacks.split(' ') };
}

/**
 * CPUs of real machines, by the name that is printed on them, oldest first. Source: the recordings (CPUID dumps) of libvirt's
 * own tests, tests/cputestdata; the microcode of each is that of its recording, so some have no mitigations.
 */
export const RECORDED_CPUS = {
  'Xeon W3520': cpu('Intel', 'Nehalem', 'rdtscp vme'),
  'Xeon E5-2650': cpu('Intel', 'SandyBridge-IBRS', 'arat osxsave pcid pdpe1gb smx ssbd stibp vme xsaveopt'),
  'Opteron 6234': cpu(
    'AMD',
    'Opteron_G4',
    'cr8legacy decodeassists flushbyasid fxsr_opt ibs lbrv lwp mmxext monitor nodeid_msr npt nrip-save osvw pause-filter perfctr_core pfthreshold svm-lock tsc-scale vmcb-clean vme',
  ),
  'Xeon E5-2609 v3': cpu(
    'Intel',
    'Haswell-noTSX',
    'abm arat cmt f16c osxsave pdpe1gb rdrand smx spec-ctrl tsc_adjust vme xsaveopt',
  ),
  'Xeon E5-2650 v4': cpu(
    'Intel',
    'Broadwell',
    'abm arat cmt f16c intel-pt mbm_local mbm_total osxsave pdpe1gb rdrand smx tsc_adjust vme xsaveopt zero-fcs-fds',
  ),
  // Its kernel hid rdtscp, which every EPYC model has.
  'EPYC 7601': cpu('AMD', 'EPYC-IBPB', 'clzero perfctr_core xsaves', 'rdtscp'),
  'Xeon Gold 6148': cpu(
    'Intel',
    'Skylake-Client',
    'avx512bw avx512cd avx512dq avx512f avx512vl clflushopt cmt mbm_local mbm_total osxsave pdpe1gb pku smx tsc_adjust xsaves',
  ),
  'Xeon Platinum 8268': cpu(
    'Intel',
    'Cascadelake-Server',
    'arch-capabilities cmt fdp-excptn-only flush-l1d ibrs-all intel-pt mbm_local mbm_total md-clear mds-no mpx ospke osxsave pku rdctl-no skip-l1dfl-vmentry smx stibp tsc_adjust xsaves zero-fcs-fds',
  ),
  'EPYC 7502': cpu(
    'AMD',
    'EPYC-Rome',
    'amd-ssbd cmt decodeassists flushbyasid ibs lbrv mbm_local mbm_total mds-no monitor pause-filter pfthreshold pschange-mc-no rdctl-no skip-l1dfl-vmentry svm-lock tsc-scale vmcb-clean xsaves',
  ),
  'Ice Lake Server': cpu(
    'Intel',
    'Icelake-Server',
    'arch-capabilities avx512ifma cmt fdp-excptn-only flush-l1d fsrm ibrs-all intel-pt mbm_local mbm_total mpx ospke osxsave rdctl-no rdpid sgx sgxlc sha-ni skip-l1dfl-vmentry smx stibp tsc_adjust xsaves zero-fcs-fds',
  ),
} as const satisfies Record<string, RecordedCpu>;
