import { bytes, constant, flags, hyper, int, list, uhyper, uint } from '../xdr/schema.ts';
import { struct } from '../xdr/struct.ts';
import { paramsOf, typedParams } from '../xdr/typedParams.ts';
import { CPU_MAP_MAX_BYTES, domainRef, flagsWithStrings, optionalText, text } from './items.ts';
import { remote } from './procedure.ts';

const dom = domainRef;

const schedulerParams = {
  cpu_shares: 'ullong',
  global_period: 'ullong',
  global_quota: 'llong',
  vcpu_period: 'ullong',
  vcpu_quota: 'llong',
  emulator_period: 'ullong',
  emulator_quota: 'llong',
  iothread_period: 'ullong',
  iothread_quota: 'llong',
} as const;
/** KiB. */
const memoryParams = { hard_limit: 'ullong', soft_limit: 'ullong', swap_hard_limit: 'ullong' } as const;
const blkioParams = {
  weight: 'uint',
  device_weight: 'string',
  device_read_iops_sec: 'string',
  device_write_iops_sec: 'string',
  device_read_bytes_sec: 'string',
  device_write_bytes_sec: 'string',
} as const;
const numaParams = { numa_nodeset: 'string', numa_mode: 'int' } as const;
/** KiB/s, burst in KiB. */
const interfaceParams = {
  'inbound.average': 'uint',
  'inbound.peak': 'uint',
  'inbound.burst': 'uint',
  'inbound.floor': 'uint',
  'outbound.average': 'uint',
  'outbound.peak': 'uint',
  'outbound.burst': 'uint',
} as const;

/** Devices, processors, memory and their limits, all changeable on a running domain. */
export const resources = {
  domainAttachDeviceFlags: remote(160, { dom, xml: text, flags }, {}),
  domainDetachDeviceFlags: remote(161, { dom, xml: text, flags }, {}),
  domainUpdateDeviceFlags: remote(174, { dom, xml: text, flags }, {}),
  /** Returns once the guest was asked; the `deviceRemoved` event says that it let go. */
  domainDetachDeviceAlias: remote(392, { dom, alias: text, flags }, {}),

  domainSetVcpusFlags: remote(199, { dom, nvcpus: uint, flags }, {}),
  domainGetVcpusFlags: remote(200, { dom, flags }, { num: int }),
  domainSetVcpu: remote(384, { dom, cpumap: text, state: int, flags }, {}),
  domainPinVcpuFlags: remote(225, { dom, vcpu: uint, cpumap: bytes(CPU_MAP_MAX_BYTES), flags }, {}),
  domainPinEmulator: remote(279, { dom, cpumap: bytes(CPU_MAP_MAX_BYTES), flags }, {}),
  /** CPU nanoseconds; `startCpu` -1 with `ncpus` 1 asks for the totals. */
  domainGetCpuStats: remote(
    262,
    { dom, nparams: uint, startCpu: int, ncpus: uint, flags: flagsWithStrings },
    { params: typedParams(2048), nparams: int },
  ),

  /** KiB. */
  domainSetMemoryFlags: remote(204, { dom, memoryKib: uhyper, flags }, {}),
  domainSetMemoryStatsPeriod: remote(308, { dom, periodSeconds: int, flags }, {}),
  /** Balloon figures by DomainMemoryStat tag, KiB except for the fault counters. */
  domainMemoryStats: remote(
    159,
    { dom, maxStats: constant(1024), flags },
    { stats: list(struct({ tag: int, val: uhyper }), 1024) },
  ),

  domainSetSchedulerParametersFlags: remote(219, { dom, params: paramsOf(16, schedulerParams), flags }, {}),
  domainGetSchedulerParametersFlags: remote(
    223,
    { dom, nparams: constant(16), flags: flagsWithStrings },
    { params: typedParams(16) },
  ),
  domainSetMemoryParameters: remote(197, { dom, params: paramsOf(16, memoryParams), flags }, {}),
  domainGetMemoryParameters: remote(
    198,
    { dom, nparams: constant(16), flags: flagsWithStrings },
    { params: typedParams(16), nparams: int },
  ),
  domainSetBlkioParameters: remote(205, { dom, params: paramsOf(16, blkioParams), flags }, {}),
  domainGetBlkioParameters: remote(
    206,
    { dom, nparams: constant(16), flags: flagsWithStrings },
    { params: typedParams(16), nparams: int },
  ),
  domainSetNumaParameters: remote(254, { dom, params: paramsOf(16, numaParams), flags }, {}),
  domainGetNumaParameters: remote(
    255,
    { dom, nparams: constant(16), flags: flagsWithStrings },
    { params: typedParams(16), nparams: int },
  ),
  domainSetInterfaceParameters: remote(256, { dom, device: text, params: paramsOf(16, interfaceParams), flags }, {}),
  domainGetInterfaceParameters: remote(
    257,
    { dom, device: text, nparams: constant(16), flags: flagsWithStrings },
    { params: typedParams(16), nparams: int },
  ),
  domainInterfaceStats: remote(
    65,
    { dom, device: text },
    {
      rxBytes: hyper,
      rxPackets: hyper,
      rxErrs: hyper,
      rxDrop: hyper,
      txBytes: hyper,
      txPackets: hyper,
      txErrs: hyper,
      txDrop: hyper,
    },
  ),
  domainStartDirtyRateCalc: remote(427, { dom, seconds: int, flags }, {}),
  domainRename: remote(358, { dom, newName: optionalText, flags }, { retcode: int }),
};
