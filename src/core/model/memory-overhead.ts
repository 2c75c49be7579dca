const MIB = 2 ** 20;

/**
 * Memory that a VM costs its host beyond what its guest sees, in bytes: QEMU itself with its libraries and buffers, a
 * stack and emulation state for each vCPU, and page tables (8 bytes for each 4 KiB page).
 * Source: the terms of KubeVirt's `GetMemoryOverhead`, without those for the pod and for graphics.
 */
export function memoryOverheadBytes(guestBytes: number, vcpus: number): number {
  return 64 * MIB + 8 * MIB * vcpus + Math.ceil(guestBytes / 512);
}
