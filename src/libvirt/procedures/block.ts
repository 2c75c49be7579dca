import { constant, flags, hyper, int, list, uhyper } from '../xdr/schema.ts';
import { struct } from '../xdr/struct.ts';
import { paramsOf, typedParams } from '../xdr/typedParams.ts';
import { domainRef, flagsWithStrings, optionalText, text } from './items.ts';
import { remote } from './procedure.ts';

const dom = domainRef;

/** Bytes/s (libvirt's own unit for this call), bytes. */
const copyParams = { bandwidth: 'ullong', granularity: 'uint', 'buf-size': 'ullong' } as const;

const ioTuneParams = {
  total_bytes_sec: 'ullong',
  read_bytes_sec: 'ullong',
  write_bytes_sec: 'ullong',
  total_iops_sec: 'ullong',
  read_iops_sec: 'ullong',
  write_iops_sec: 'ullong',
  total_bytes_sec_max: 'ullong',
  read_bytes_sec_max: 'ullong',
  write_bytes_sec_max: 'ullong',
  total_iops_sec_max: 'ullong',
  read_iops_sec_max: 'ullong',
  write_iops_sec_max: 'ullong',
  total_bytes_sec_max_length: 'ullong',
  read_bytes_sec_max_length: 'ullong',
  write_bytes_sec_max_length: 'ullong',
  total_iops_sec_max_length: 'ullong',
  read_iops_sec_max_length: 'ullong',
  write_iops_sec_max_length: 'ullong',
  size_iops_sec: 'ullong',
  group_name: 'string',
} as const;

/** A running domain's disks. A `path` or `disk` is the target name (`vda`) or the source path. */
export const block = {
  domainBlockCopy: remote(345, { dom, path: text, destXml: text, params: paramsOf(16, copyParams), flags }, {}),
  /** `bandwidth` in MiB/s unless the flag for bytes is set; 0 means unlimited. */
  domainBlockCommit: remote(
    290,
    { dom, disk: text, base: optionalText, top: optionalText, bandwidth: uhyper, flags },
    {},
  ),
  domainBlockPull: remote(240, { dom, path: text, bandwidth: uhyper, flags }, {}),
  domainBlockRebase: remote(266, { dom, path: text, base: optionalText, bandwidth: uhyper, flags }, {}),
  /** `found` is 0 when the disk has no job. `end` may grow while the job runs. */
  domainGetBlockJobInfo: remote(
    238,
    { dom, path: text, flags },
    { found: int, type: int, bandwidth: uhyper, cur: uhyper, end: uhyper },
  ),
  /** With BlockJobAbort.PIVOT ends a copy or an active commit by switching over to its result. */
  domainBlockJobAbort: remote(237, { dom, path: text, flags }, {}),
  domainBlockJobSetSpeed: remote(239, { dom, path: text, bandwidth: uhyper, flags }, {}),
  /** KiB unless BlockResize.BYTES is set. */
  domainBlockResize: remote(251, { dom, disk: text, size: uhyper, flags }, {}),
  /** Bytes. */
  domainGetBlockInfo: remote(
    194,
    { dom, path: text, flags },
    { allocation: uhyper, capacity: uhyper, physical: uhyper },
  ),
  domainBlockStats: remote(
    64,
    { dom, path: text },
    { rdReq: hyper, rdBytes: hyper, wrReq: hyper, wrBytes: hyper, errs: hyper },
  ),
  domainBlockStatsFlags: remote(
    243,
    { dom, path: text, nparams: constant(16), flags: flagsWithStrings },
    { params: typedParams(16), nparams: int },
  ),
  domainSetBlockIoTune: remote(252, { dom, disk: text, params: paramsOf(32, ioTuneParams), flags }, {}),
  domainGetBlockIoTune: remote(
    253,
    { dom, disk: optionalText, nparams: constant(32), flags: flagsWithStrings },
    { params: typedParams(32), nparams: int },
  ),
  domainGetDiskErrors: remote(
    263,
    { dom, maxErrors: constant(256), flags },
    { errors: list(struct({ disk: text, error: int }), 256), nerrors: int },
  ),
  domainSetBlockThreshold: remote(386, { dom, dev: text, thresholdBytes: uhyper, flags }, {}),
};
