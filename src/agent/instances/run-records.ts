import { dirname } from 'node:path';
import * as z from 'zod';
import type { Run } from '../../core/instance/index.ts';
import type { HostFiles } from '../../host/index.ts';

const StopReasons = ['Shutdown', 'Destroyed', 'Crashed', 'Failed', 'Migrated', 'Saved', 'Lost'] as const;
const RunSchema = z.object({
  epoch: z.int(),
  restartedAt: z.string(),
  startedAt: z.string(),
  bootID: z.string().exactOptional(),
  logOffset: z.int().min(0).exactOptional(),
  restarts: z.int(),
  restartDelaySeconds: z.int().exactOptional(),
  lastStop: z.object({ at: z.string(), reason: z.enum(StopReasons) }).exactOptional(),
});
const RecordSchema = z.object({
  /** The newest epoch that this host has seen of the VM. */
  epoch: z.int(),
  /** Its last start here. Absent: never started here. */
  run: RunSchema.exactOptional(),
  /** When the record was last written (RFC 3339). */
  at: z.string(),
});
type VmRecord = z.output<typeof RecordSchema>;
const FileSchema = z.object({ version: z.literal(1), virtualMachines: z.record(z.string(), RecordSchema) });

/** So long after the last change a VM is not heard of any more: an older intent of it is nowhere left either. */
const KEPT_MS = 90 * 24 * 3_600_000;

/**
 * What this host must not forget about each VM, by uid of the VirtualMachine: the newest epoch it has seen, and its last
 * start. Every change is on disk before `save` returns; changes that come together share one write.
 */
export class RunRecords {
  readonly #path: string;
  readonly #files: HostFiles;
  readonly #records: Map<string, VmRecord>;
  #writing: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  private constructor(path: string, files: HostFiles, records: Map<string, VmRecord>) {
    this.#path = path;
    this.#files = files;
    this.#records = records;
  }

  /** @throws Error when the file cannot be read: going on without it could run an outdated placement. */
  static async load(path: string, now: Date, files: HostFiles): Promise<RunRecords> {
    await files.makeDirectory(dirname(path), 0o700);
    const kept = Object.entries(await readRecords(path, files)).filter(
      ([, record]) => now.getTime() - Date.parse(record.at) < KEPT_MS,
    );
    return new RunRecords(path, files, new Map(kept));
  }

  /** 0: none seen. */
  newestEpoch(virtualMachineUID: string): number {
    return this.#records.get(virtualMachineUID)?.epoch ?? 0;
  }

  run(virtualMachineUID: string): Run | undefined {
    return this.#records.get(virtualMachineUID)?.run;
  }

  /** Remembers a start before libvirt is asked for it. Resolves once it is on disk. */
  async saveRun(virtualMachineUID: string, run: Run): Promise<void> {
    const epoch = Math.max(run.epoch, this.newestEpoch(virtualMachineUID));
    this.#records.set(virtualMachineUID, { epoch, run, at: run.startedAt });
    await this.#flush();
  }

  /** Remembers an epoch that is not started here. Does nothing when a newer one is known. */
  async saveEpoch(virtualMachineUID: string, epoch: number, now: Date): Promise<void> {
    if (epoch <= this.newestEpoch(virtualMachineUID)) return;
    const run = this.run(virtualMachineUID);
    this.#records.set(virtualMachineUID, { epoch, ...(run && { run }), at: now.toISOString() });
    await this.#flush();
  }

  /** A write under way may have begun before this change: the one after it is waited for. */
  async #flush(): Promise<void> {
    if (this.#writing === undefined) {
      await this.#write();
      return;
    }
    this.#next ??= this.#writing
      .catch(() => undefined)
      .then(async () => {
        this.#next = undefined;
        await this.#write();
      });
    await this.#next;
  }

  async #write(): Promise<void> {
    const content = { version: 1, virtualMachines: Object.fromEntries(this.#records) };
    this.#writing = this.#files.write(this.#path, JSON.stringify(content), 0o600).finally(() => {
      this.#writing = undefined;
    });
    await this.#writing;
  }
}

async function readRecords(path: string, files: HostFiles): Promise<Record<string, VmRecord>> {
  try {
    const text = await files.read(path);
    return text === undefined ? {} : FileSchema.parse(JSON.parse(text)).virtualMachines;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `Cannot read ${path}, which says what this host has run: ${why}. Restore it, or, when no VM of this host was placed elsewhere meanwhile, delete it.`,
      { cause },
    );
  }
}
