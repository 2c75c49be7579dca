import { bytes, charArray, constant, flags, int, list, uhyper, uint } from '../xdr/schema.ts';
import { struct } from '../xdr/struct.ts';
import { paramsOf, typedParams } from '../xdr/typedParams.ts';
import { CPU_MAP_MAX_BYTES, flagsWithStrings, text } from './items.ts';
import { remote } from './procedure.ts';

const MAX_CELLS = 1024;
const namedCounters = list(struct({ field: text, value: uhyper }), 16);

/** KSM's knobs. */
const memoryParams = {
  shm_pages_to_scan: 'uint',
  shm_sleep_millisecs: 'uint',
  shm_merge_across_nodes: 'uint',
} as const;

/** The host: its processors and memory. */
export const node = {
  /** `memory` in KiB; `cpus` is what is online; `nodes` are NUMA nodes; the rest per the level above it. */
  nodeGetInfo: remote(
    6,
    {},
    {
      model: charArray(32),
      memory: uhyper,
      cpus: int,
      mhz: int,
      nodes: int,
      sockets: int,
      cores: int,
      threads: int,
    },
  ),
  /** Nanoseconds since boot by state; `cpuNum` -1 sums all processors. Linux has exactly these four states. */
  nodeGetCpuStats: remote(227, { cpuNum: int, nparams: constant(4), flags }, { params: namedCounters, nparams: int }),
  /** KiB; `cellNum` -1 sums all NUMA nodes and takes `nparams` 4; one node has 2. 0 asks for the number. */
  nodeGetMemoryStats: remote(228, { nparams: int, cellNum: int, flags }, { params: namedCounters, nparams: int }),
  /** Bytes, per NUMA node from `startCell` on. */
  nodeGetCellsFreeMemory: remote(101, { startCell: int, maxcells: int }, { cells: list(uhyper, MAX_CELLS) }),
  /** Bytes. */
  nodeGetFreeMemory: remote(102, {}, { freeMem: uhyper }),
  /** Per NUMA node, per page size (KiB) asked for. */
  nodeGetFreePages: remote(
    340,
    { pages: list(uint, MAX_CELLS), startCell: int, cellCount: uint, flags },
    { counts: list(uhyper, MAX_CELLS) },
  ),
  nodeGetCpuMap: remote(
    293,
    { needMap: constant(1), needOnline: constant(1), flags },
    { cpumap: bytes(CPU_MAP_MAX_BYTES), online: uint, ret: int },
  ),
  nodeGetMemoryParameters: remote(
    289,
    { nparams: constant(64), flags: flagsWithStrings },
    { params: typedParams(64), nparams: int },
  ),
  nodeSetMemoryParameters: remote(288, { params: paramsOf(64, memoryParams), flags }, {}),
};
