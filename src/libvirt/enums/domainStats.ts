/* Values of libvirt's public enums (include/libvirt/*.h); names without their VIR_ prefix. */

/** Groups of figures of `connectGetAllDomainStats`; 0 asks for all. */
export const DomainStats = {
  STATE: 1,
  CPU_TOTAL: 1 << 1,
  BALLOON: 1 << 2,
  VCPU: 1 << 3,
  INTERFACE: 1 << 4,
  BLOCK: 1 << 5,
  PERF: 1 << 6,
  IOTHREAD: 1 << 7,
  MEMORY: 1 << 8,
  DIRTYRATE: 1 << 9,
  VM: 1 << 10,
} as const;

/** Which domains, and how much they may be disturbed: NOWAIT skips what a busy domain cannot answer at once. */
export const DomainStatsList = {
  ACTIVE: 1,
  INACTIVE: 1 << 1,
  PERSISTENT: 1 << 2,
  TRANSIENT: 1 << 3,
  RUNNING: 1 << 4,
  PAUSED: 1 << 5,
  SHUTOFF: 1 << 6,
  OTHER: 1 << 7,
  NOWAIT: 1 << 29,
  BACKING: 1 << 30,
  ENFORCE_STATS: 1 << 31,
} as const;

/** The `tag` of `domainMemoryStats`. */
export const DomainMemoryStat = {
  SWAP_IN: 0,
  SWAP_OUT: 1,
  MAJOR_FAULT: 2,
  MINOR_FAULT: 3,
  UNUSED: 4,
  AVAILABLE: 5,
  ACTUAL_BALLOON: 6,
  RSS: 7,
  USABLE: 8,
  LAST_UPDATE: 9,
  DISK_CACHES: 10,
  HUGETLB_PGALLOC: 11,
  HUGETLB_PGFAIL: 12,
  NR: 13,
} as const;

/** Where `domainInterfaceAddresses` looks. */
export const DomainInterfaceSource = {
  LEASE: 0,
  AGENT: 1,
  ARP: 2,
} as const;

export const IpAddressType = {
  IPV4: 0,
  IPV6: 1,
} as const;

/** What `domainGetGuestInfo` asks the guest for; 0 asks for all. */
export const DomainGuestInfo = {
  USERS: 1,
  OS: 1 << 1,
  TIMEZONE: 1 << 2,
  HOSTNAME: 1 << 3,
  FILESYSTEM: 1 << 4,
  DISKS: 1 << 5,
  INTERFACES: 1 << 6,
} as const;

/** In place of seconds: BLOCK waits for ever, DEFAULT 5 s, NOWAIT does not wait. */
export const AgentTimeout = {
  BLOCK: -2,
  DEFAULT: -1,
  NOWAIT: 0,
} as const;

/** `qemuDomainMonitorCommand`: HMP takes the human monitor's syntax, else it is QMP's JSON. */
export const MonitorCommand = {
  HMP: 1,
} as const;
