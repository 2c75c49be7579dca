import { type ImageInfo, parseImageInfo } from './image-info.ts';
import { runTool, ToolError, type ToolLimits } from './run-tool.ts';

export type DiskFormat = 'qcow2' | 'raw';
/** How much of a new image takes its space at once: nothing, reserved (fallocate), or written out with zeros. */
export type Preallocation = 'off' | 'falloc' | 'full';

export interface DiskFile {
  path: string;
  format: DiskFormat;
}

const GIB = 2 ** 30;
/** Reading a header takes milliseconds and a few MiB; whatever needs more is an attack on the host. */
const INSPECT_LIMITS: ToolLimits = { addressSpaceBytes: GIB, cpuSeconds: 10 };
const INSPECT_TIMEOUT_MS = 20_000;
/** QEMU keeps at most 32 MiB of L2 tables; the rest is buffers. Generous, but no host dies of it. */
const WORK_ADDRESS_SPACE_BYTES = 4 * GIB;
/** Slower storage than this is taken for stuck. */
const SLOWEST_BYTES_PER_SECOND = 2 * 2 ** 20;
const SETUP_MS = 120_000;

/**
 * Reads the header of an image.
 * @param format what to take the file for. Absent: QEMU detects it; never trust the answer `raw` of a detection for more
 *   than that, since a guest can write any header into a raw disk.
 * @param inUse the image may be open for writing in a QEMU (`-U`): the figures may then be a moment old.
 * @throws ToolError
 */
export async function inspectImage(
  path: string,
  { format, inUse = false, signal }: { format?: DiskFormat; inUse?: boolean; signal?: AbortSignal | undefined } = {},
): Promise<ImageInfo> {
  const args = [
    'info',
    '--output=json',
    ...(inUse ? ['-U'] : []),
    ...(format ? ['-f', format] : []),
    '--',
    fileName(path),
  ];
  const { stdout } = await runTool({
    command: 'qemu-img',
    args,
    timeoutMs: INSPECT_TIMEOUT_MS,
    limits: INSPECT_LIMITS,
    signal,
  });
  return parseImageInfo(stdout);
}

/** Makes a blank qcow2 image; a file that is there keeps its owner and permissions, not its content. */
export async function createImage(image: {
  path: string;
  sizeBytes: number;
  preallocation: Preallocation;
  signal?: AbortSignal | undefined;
}): Promise<void> {
  await work(
    [
      'create',
      '-q',
      '-f',
      'qcow2',
      '-o',
      `preallocation=${image.preallocation}`,
      '--',
      fileName(image.path),
      String(image.sizeBytes),
    ],
    image.preallocation === 'off' ? 0 : image.sizeBytes,
    image.signal,
  );
}

/**
 * Makes a full copy of an image as qcow2. The source is opened in the format named and without a backing file, whatever
 * its header says by now.
 * @param onProgress told the share that is copied, 0 to 1.
 */
export async function convertImage(copy: {
  source: DiskFile;
  sourceSizeBytes: number;
  targetPath: string;
  preallocation: Preallocation;
  onProgress?: ((fraction: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}): Promise<void> {
  const source = JSON.stringify({
    driver: copy.source.format,
    ...(copy.source.format === 'qcow2' && { backing: null }),
    file: { driver: 'file', filename: copy.source.path },
  });
  await work(
    [
      'convert',
      '-p',
      '-O',
      'qcow2',
      '-o',
      `preallocation=${copy.preallocation}`,
      '--',
      `json:${source}`,
      fileName(copy.targetPath),
    ],
    copy.sourceSizeBytes,
    copy.signal,
    (text) => {
      const percent = lastPercent(text);
      if (percent !== undefined) copy.onProgress?.(percent / 100);
    },
  );
}

/** Makes an image that no QEMU has open larger. */
export async function growImage(image: {
  file: DiskFile;
  sizeBytes: number;
  preallocation: Preallocation;
  signal?: AbortSignal | undefined;
}): Promise<void> {
  await work(
    [
      'resize',
      '-q',
      '-f',
      image.file.format,
      `--preallocation=${image.preallocation}`,
      '--',
      fileName(image.file.path),
      String(image.sizeBytes),
    ],
    image.preallocation === 'off' ? 0 : image.sizeBytes,
    image.signal,
  );
}

/**
 * Whether some QEMU, here or on another host that sees the file, has it open: opening it for writing and reading its
 * locks is refused while anybody reads or writes it. As raw, so that a damaged header is no obstacle. Writes nothing.
 * @throws ToolError when it cannot be told.
 */
export async function isImageOpen(path: string, signal?: AbortSignal): Promise<boolean> {
  try {
    await runTool({
      command: 'qemu-io',
      args: ['-f', 'raw', '-c', 'quit', fileName(path)],
      timeoutMs: INSPECT_TIMEOUT_MS,
      limits: INSPECT_LIMITS,
      signal,
    });
    return false;
  } catch (error) {
    if (isLockError(error)) return true;
    throw error;
  }
}

/** Whether a tool failed because another QEMU has the image open. */
export function isLockError(error: unknown): boolean {
  return error instanceof ToolError && /Failed to (get|lock)|Is another process using the image/.test(error.stderr);
}

/** Whether a tool failed because the file system is full, or its quota used up. */
export function isSpaceError(error: unknown): boolean {
  return error instanceof ToolError && /No space left on device|Disk quota exceeded/.test(error.stderr);
}

/** The newest figure in a piece of qemu-img's `-p` output: `    (12.50/100%)`. */
export function lastPercent(text: string): number | undefined {
  const figures = [...text.matchAll(/\((\d+(?:\.\d+)?)\/100%\)/g)];
  const last = figures.at(-1)?.[1];
  return last === undefined ? undefined : Number(last);
}

async function work(
  args: readonly string[],
  bytesToWrite: number,
  signal: AbortSignal | undefined,
  onOutput?: (text: string) => void,
): Promise<void> {
  const timeoutMs = SETUP_MS + (bytesToWrite / SLOWEST_BYTES_PER_SECOND) * 1000;
  await runTool({
    command: 'qemu-img',
    args,
    // Timers of Node hold 2^31 ms (24 days).
    timeoutMs: Math.min(timeoutMs, 2 ** 31 - 1),
    limits: { addressSpaceBytes: WORK_ADDRESS_SPACE_BYTES, cpuSeconds: timeoutMs / 1000 },
    signal,
    onOutput,
  });
}

/** QEMU reads a name with a colon as a protocol or JSON: a slash first and `file:` make it a plain path. */
function fileName(path: string): string {
  if (!path.startsWith('/')) throw new RangeError(`"${path}" is not an absolute path`);
  return `file:${path}`;
}
