import { closeSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../run.ts';
import { emptyCounterRecord, RECORD_OFFSET_BYTES } from './counter-record.ts';
import { KERNEL_OPTIONS } from './recipe.ts';

/**
 * How does a kernel with its initramfs become a disk that a PC boots?
 *
 * Sector 0 holds syslinux's boot code and the partition table; partition 1 is the counter's, partition 2 a FAT volume
 * with syslinux, the kernel and the initramfs. Nothing is mounted, so it is built the same in a container.
 */
const SECTOR_BYTES = 512;
const COUNTER_PARTITION = { firstSector: RECORD_OFFSET_BYTES / SECTOR_BYTES, sectorCount: 1024, type: 0xda } as const;
const BOOT_FIRST_SECTOR = 2048;
const FAT_LBA = 0x0e;
const MIB = 1024 * 1024;
/** Room for syslinux itself and for the FAT's own tables. */
const BOOT_SPARE_BYTES = 2 * MIB;
/** Partition table as UEFI 2.10, 5.2.1 describes the legacy MBR. */
const TABLE_OFFSET = 446;
const BOOT_CODE_BYTES = 440;
const SYSLINUX_BOOT_CODE = '/usr/lib/syslinux/mbr/mbr.bin';

export interface BootFiles {
  readonly kernel: string;
  readonly initramfs: string;
}

/** Writes a raw disk image. */
export async function writeBootDisk(image: string, { kernel, initramfs }: BootFiles): Promise<void> {
  const contentBytes = readFileSync(kernel).length + readFileSync(initramfs).length;
  const bootBytes = Math.ceil((contentBytes + BOOT_SPARE_BYTES) / MIB) * MIB;
  const bootSectors = bootBytes / SECTOR_BYTES;
  const bootOffset = BOOT_FIRST_SECTOR * SECTOR_BYTES;
  writeFileSync(image, '');
  truncateSync(image, bootOffset + bootBytes);

  const disk = openSync(image, 'r+');
  try {
    writeSync(disk, masterBootRecord(bootSectors), 0, SECTOR_BYTES, 0);
    writeSync(disk, emptyCounterRecord(), 0, SECTOR_BYTES, COUNTER_PARTITION.firstSector * SECTOR_BYTES);
  } finally {
    closeSync(disk);
  }

  const volume = `${image}@@${bootOffset}`;
  const config = join(`${image}.syslinux.cfg`);
  writeFileSync(config, syslinuxConfig());
  await run('mformat', [
    '-i',
    volume,
    '-T',
    `${bootSectors}`,
    '-h',
    '255',
    '-s',
    '63',
    '-H',
    `${BOOT_FIRST_SECTOR}`,
    '::',
  ]);
  await run('mcopy', ['-i', volume, kernel, '::/vmlinuz']);
  await run('mcopy', ['-i', volume, initramfs, '::/initrd']);
  await run('mcopy', ['-i', volume, config, '::/syslinux.cfg']);
  await run('syslinux', ['--install', '--offset', `${bootOffset}`, image]);
}

function syslinuxConfig(): string {
  return [
    'DEFAULT guest',
    'PROMPT 0',
    'LABEL guest',
    'LINUX /vmlinuz',
    'INITRD /initrd',
    `APPEND ${KERNEL_OPTIONS}`,
    '',
  ].join('\n');
}

function masterBootRecord(bootSectors: number): Buffer {
  const record = Buffer.alloc(SECTOR_BYTES);
  readFileSync(SYSLINUX_BOOT_CODE).copy(record, 0, 0, BOOT_CODE_BYTES);
  const { firstSector, sectorCount, type } = COUNTER_PARTITION;
  writePartition(record, 0, { active: false, type, firstSector, sectorCount });
  writePartition(record, 1, { active: true, type: FAT_LBA, firstSector: BOOT_FIRST_SECTOR, sectorCount: bootSectors });
  record.writeUInt16LE(0xaa55, SECTOR_BYTES - 2);
  return record;
}

interface Partition {
  readonly active: boolean;
  readonly type: number;
  readonly firstSector: number;
  readonly sectorCount: number;
}

function writePartition(record: Buffer, index: number, { active, type, firstSector, sectorCount }: Partition): void {
  const offset = TABLE_OFFSET + 16 * index;
  record.writeUInt8(active ? 0x80 : 0, offset);
  // Cylinder, head and sector say "use the sector numbers below".
  record.fill(Buffer.from([0xfe, 0xff, 0xff]), offset + 1, offset + 4);
  record.writeUInt8(type, offset + 4);
  record.fill(Buffer.from([0xfe, 0xff, 0xff]), offset + 5, offset + 8);
  record.writeUInt32LE(firstSector, offset + 8);
  record.writeUInt32LE(sectorCount, offset + 12);
}
