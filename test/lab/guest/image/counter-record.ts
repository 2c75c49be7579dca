/**
 * What does the guest write to its counter partition?
 *
 * One sector of text, padded with zeros. The guest's script `count` writes it, so a change here is a change there.
 */
export interface CounterRecord {
  /** Last number that reached the disk; 0 before the first boot. */
  readonly counter: number;
  /** First eight digits of the boot id of the kernel that wrote it; undefined before the first boot. */
  readonly boot: string | undefined;
}

export const RECORD_BYTES = 512;
/** First byte of the counter partition on the disk. */
export const RECORD_OFFSET_BYTES = 512 * 1024;
const MAGIC = 'DROVER-COUNTER 1';

export function emptyCounterRecord(): Buffer {
  const record = Buffer.alloc(RECORD_BYTES);
  record.write(`${MAGIC}\ncounter=0\n`);
  return record;
}

/** @returns undefined when the bytes are no counter record. */
export function parseCounterRecord(bytes: Buffer): CounterRecord | undefined {
  const text = bytes.subarray(0, RECORD_BYTES).toString('latin1').replace(/\0+$/, '');
  const match = /^DROVER-COUNTER 1\n(?:boot=([0-9a-f]{8})\n)?counter=(\d+)\n?$/.exec(text);
  return match ? { counter: Number(match[2]), boot: match[1] } : undefined;
}
