/* Values of libvirt's public enums (include/libvirt/*.h); names without their VIR_ prefix. */

/** Which domains `connectListAllDomains` lists; none set means all. */
export const DomainList = {
  ACTIVE: 1,
  INACTIVE: 1 << 1,
  PERSISTENT: 1 << 2,
  TRANSIENT: 1 << 3,
  RUNNING: 1 << 4,
  PAUSED: 1 << 5,
  SHUTOFF: 1 << 6,
  OTHER: 1 << 7,
  MANAGEDSAVE: 1 << 8,
  NO_MANAGEDSAVE: 1 << 9,
  AUTOSTART: 1 << 10,
  NO_AUTOSTART: 1 << 11,
  HAS_SNAPSHOT: 1 << 12,
  NO_SNAPSHOT: 1 << 13,
  HAS_CHECKPOINT: 1 << 14,
  NO_CHECKPOINT: 1 << 15,
} as const;

/** `domainGetXmlDesc`. */
export const DomainXml = {
  SECURE: 1,
  INACTIVE: 1 << 1,
  UPDATE_CPU: 1 << 2,
  MIGRATABLE: 1 << 3,
} as const;

/** `domainCreateXml` and `domainCreateWithFlags`. */
export const DomainStart = {
  PAUSED: 1,
  AUTODESTROY: 1 << 1,
  BYPASS_CACHE: 1 << 2,
  FORCE_BOOT: 1 << 3,
  VALIDATE: 1 << 4,
  RESET_NVRAM: 1 << 5,
} as const;

export const DomainDefine = {
  VALIDATE: 1,
} as const;

export const DomainUndefine = {
  MANAGED_SAVE: 1,
  SNAPSHOTS_METADATA: 1 << 1,
  NVRAM: 1 << 2,
  KEEP_NVRAM: 1 << 3,
  CHECKPOINTS_METADATA: 1 << 4,
  TPM: 1 << 5,
  KEEP_TPM: 1 << 6,
} as const;

/** How `domainShutdownFlags` asks the guest; none set lets libvirt choose. */
export const DomainShutdown = {
  ACPI_POWER_BTN: 1,
  GUEST_AGENT: 1 << 1,
  INITCTL: 1 << 2,
  SIGNAL: 1 << 3,
  PARAVIRT: 1 << 4,
} as const;

export const DomainReboot = {
  ACPI_POWER_BTN: 1,
  GUEST_AGENT: 1 << 1,
  INITCTL: 1 << 2,
  SIGNAL: 1 << 3,
  PARAVIRT: 1 << 4,
} as const;

/** GRACEFUL sends only SIGTERM and fails when QEMU does not exit. */
export const DomainDestroy = {
  GRACEFUL: 1,
  REMOVE_LOGS: 1 << 1,
} as const;

/** Save, managed save and restore. */
export const DomainSave = {
  BYPASS_CACHE: 1,
  RUNNING: 1 << 1,
  PAUSED: 1 << 2,
  RESET_NVRAM: 1 << 3,
} as const;

/** Whether a change is made to the running domain, its stored definition, or both (both bits). */
export const DomainAffect = {
  LIVE: 1,
  CONFIG: 1 << 1,
} as const;

export const DomainDeviceModify = {
  LIVE: 1,
  CONFIG: 1 << 1,
  FORCE: 1 << 2,
} as const;

export const DomainVcpu = {
  LIVE: 1,
  CONFIG: 1 << 1,
  MAXIMUM: 1 << 2,
  GUEST: 1 << 3,
  HOTPLUGGABLE: 1 << 4,
} as const;

export const DomainMemory = {
  LIVE: 1,
  CONFIG: 1 << 1,
  MAXIMUM: 1 << 2,
} as const;

export const DomainMetadataType = {
  DESCRIPTION: 0,
  TITLE: 1,
  ELEMENT: 2,
} as const;

export const DomainConsole = {
  FORCE: 1,
  SAFE: 1 << 1,
} as const;

export const DomainCoreDump = {
  CRASH: 1,
  LIVE: 1 << 1,
  BYPASS_CACHE: 1 << 2,
  RESET: 1 << 3,
  MEMORY_ONLY: 1 << 4,
} as const;
