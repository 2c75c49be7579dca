/* Values of libvirt's public enums (include/libvirt/*.h); names without their VIR_ prefix. */

export const SnapshotCreate = {
  REDEFINE: 1,
  CURRENT: 1 << 1,
  NO_METADATA: 1 << 2,
  HALT: 1 << 3,
  DISK_ONLY: 1 << 4,
  REUSE_EXT: 1 << 5,
  QUIESCE: 1 << 6,
  ATOMIC: 1 << 7,
  LIVE: 1 << 8,
  VALIDATE: 1 << 9,
} as const;

export const SnapshotList = {
  ROOTS: 1,
  DESCENDANTS: 1,
  LEAVES: 1 << 2,
  NO_LEAVES: 1 << 3,
  METADATA: 1 << 1,
  NO_METADATA: 1 << 4,
  INACTIVE: 1 << 5,
  ACTIVE: 1 << 6,
  DISK_ONLY: 1 << 7,
  INTERNAL: 1 << 8,
  EXTERNAL: 1 << 9,
  TOPOLOGICAL: 1 << 10,
} as const;

export const SnapshotRevert = {
  RUNNING: 1,
  PAUSED: 1 << 1,
  FORCE: 1 << 2,
  RESET_NVRAM: 1 << 3,
} as const;

export const SnapshotDelete = {
  CHILDREN: 1,
  METADATA_ONLY: 1 << 1,
  CHILDREN_ONLY: 1 << 2,
} as const;
