/* Values of libvirt's public enums (include/libvirt/*.h); names without their VIR_ prefix. */

/** The `result` of the compare calls: how the host's CPU stands to the given one. */
export const CpuCompare = {
  ERROR: -1,
  INCOMPATIBLE: 0,
  IDENTICAL: 1,
  SUPERSET: 2,
} as const;

export const CompareCpu = {
  FAIL_INCOMPATIBLE: 1,
  VALIDATE_XML: 1 << 1,
} as const;

export const BaselineCpu = {
  EXPAND_FEATURES: 1,
  MIGRATABLE: 1 << 1,
} as const;

export const StoragePoolState = {
  INACTIVE: 0,
  BUILDING: 1,
  RUNNING: 2,
  DEGRADED: 3,
  INACCESSIBLE: 4,
} as const;

export const StoragePoolCreate = {
  WITH_BUILD: 1,
  WITH_BUILD_OVERWRITE: 1 << 1,
  WITH_BUILD_NO_OVERWRITE: 1 << 2,
} as const;

export const StoragePoolBuild = {
  REPAIR: 1,
  RESIZE: 1 << 1,
  NO_OVERWRITE: 1 << 2,
  OVERWRITE: 1 << 3,
} as const;

export const StorageVolType = {
  FILE: 0,
  BLOCK: 1,
  DIR: 2,
  NETWORK: 3,
  NETDIR: 4,
  PLOOP: 5,
} as const;

export const StorageVolCreate = {
  PREALLOC_METADATA: 1,
  REFLINK: 1 << 1,
  VALIDATE: 1 << 2,
} as const;

export const StorageVolResize = {
  ALLOCATE: 1,
  DELTA: 1 << 1,
  SHRINK: 1 << 2,
} as const;

export const StorageVolUpload = {
  SPARSE_STREAM: 1,
} as const;

export const StorageVolDownload = {
  SPARSE_STREAM: 1,
} as const;

export const SecretUsage = {
  NONE: 0,
  VOLUME: 1,
  CEPH: 2,
  ISCSI: 3,
  TLS: 4,
  VTPM: 5,
} as const;
