/**
 * Guests of one boot sector: programs for the bare processor, which do at once and for certain what an operating system
 * could only be talked into. Loaded by the BIOS to 0000:7C00, in 16-bit mode.
 */
export type BootProgram = 'powersOff' | 'panics' | 'resets' | 'neglectsWatchdog' | 'writes';

const HALT = [0xf4, 0xeb, 0xfd]; // hlt; jmp hlt
/** BIOS INT 15h, AH=86h: waits CX:DX microseconds, here one second. */
const WAIT_A_SECOND = [0xb4, 0x86, 0xb9, 0x0f, 0x00, 0xba, 0x40, 0x42, 0xcd, 0x15];
const SECTOR_BYTES = 512;

const PROGRAMS: Readonly<Record<BootProgram, readonly number[]>> = {
  // out 0x604, 0x2000: SLP_EN of the PM1a control register, which firmware puts at 0x604 on QEMU's q35 (ACPI 4.8.3.2).
  powersOff: [...WAIT_A_SECOND, 0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef, ...HALT],
  // out 0x505, 1: "panicked" (QEMU's docs/specs/pvpanic).
  panics: [...WAIT_A_SECOND, 0xba, 0x05, 0x05, 0xb0, 0x01, 0xee, ...HALT],
  // out 0x3f8, 'B': a sign of this boot on the serial console; then out 0x64, 0xfe: the keyboard controller's reset line.
  resets: [0xba, 0xf8, 0x03, 0xb0, 0x42, 0xee, ...WAIT_A_SECOND, 0xb0, 0xfe, 0xe6, 0x64, ...HALT],
  // A sign of this boot on the serial console; then, with the PCI BIOS (INT 1Ah, AH=B1h), the watchdog 8086:25AB is set to its fast
  // clock, at which both of its stages last a second, and started (Intel 6300ESB, registers 60h and 68h).
  neglectsWatchdog: [
    ...[0xba, 0xf8, 0x03, 0xb0, 0x42, 0xee], // out 0x3f8, 'B'
    ...[0xb8, 0x02, 0xb1, 0xb9, 0xab, 0x25, 0xba, 0x86, 0x80, 0x31, 0xf6, 0xcd, 0x1a], // find it: BX is its address
    ...[0xb8, 0x0c, 0xb1, 0xbf, 0x60, 0x00, 0xb9, 0x07, 0x00, 0xcd, 0x1a], // write word 60h, 7
    ...[0xb8, 0x0b, 0xb1, 0xbf, 0x68, 0x00, 0xb1, 0x02, 0xcd, 0x1a], // write byte 68h, 2
    ...HALT,
  ],
  // Writes 32 KiB after 32 KiB to the first disk with BIOS INT 13h, AH=43h, from sector 64 on.
  writes: [
    0x31,
    0xc0,
    0x8e,
    0xd8, // xor ax, ax; mov ds, ax
    0xbe,
    0x1a,
    0x7c, // again: mov si, packet
    0xb4,
    0x43,
    0xb0,
    0x00,
    0xb2,
    0x80,
    0xcd,
    0x13, // write 64 sectors
    0x66,
    0x81,
    0x06,
    0x22,
    0x7c,
    0x40,
    0x00,
    0x00,
    0x00, // add dword [packet + 8], 64
    0xeb,
    0xea, // jmp again
    // packet: its size, 64 sectors, from 0000:8000, to sector 64
    0x10,
    0x00,
    0x40,
    0x00,
    0x00,
    0x80,
    0x00,
    0x00,
    0x40,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
  ],
};

/** The first sector of a disk that runs the program. */
export function bootSector(program: BootProgram): Buffer {
  const sector = Buffer.alloc(SECTOR_BYTES);
  sector.set(PROGRAMS[program]);
  sector.writeUInt16LE(0xaa55, SECTOR_BYTES - 2);
  return sector;
}
