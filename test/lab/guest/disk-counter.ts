import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../run.ts';
import { type CounterRecord, parseCounterRecord, RECORD_BYTES, RECORD_OFFSET_BYTES } from './image/counter-record.ts';

/**
 * What the guest last wrote to its disk; also while it runs, past QEMU's image lock.
 * @param image a raw or qcow2 file, with any chain of backing files.
 * @throws when the image is no disk of a test guest.
 */
export async function readDiskCounter(image: string, format: 'qcow2' | 'raw' = 'qcow2'): Promise<CounterRecord> {
  const folder = mkdtempSync(join(tmpdir(), 'drover-counter-'));
  try {
    const copy = join(folder, 'record');
    const skip = RECORD_OFFSET_BYTES / RECORD_BYTES;
    // qemu-img counts from the start of the input, not from where it skipped to; of a later one we would read more.
    const range = [`bs=${RECORD_BYTES}`, `skip=${skip}`, `count=${skip + 1}`];
    await run('qemu-img', ['dd', '-U', '-f', format, '-O', 'raw', ...range, `if=${image}`, `of=${copy}`]);
    const record = parseCounterRecord(readFileSync(copy));
    if (record) return record;
    throw new Error(`${image} holds no counter at byte ${RECORD_OFFSET_BYTES}: it is no disk of a test guest.`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
