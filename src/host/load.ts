import { readFile } from 'node:fs/promises';
import { isSystemError } from './durable-file.ts';

/** Cumulated seconds over all hardware threads, since boot. */
export interface CpuLoad {
  hardwareThreads: number;
  userSeconds: number;
  systemSeconds: number;
  guestSeconds: number;
  ioWaitSeconds: number;
  idleSeconds: number;
  stealSeconds: number;
}

export interface MemoryLoad {
  totalBytes: number;
  availableBytes: number;
  swapTotalBytes: number;
  swapFreeBytes: number;
}

export interface PressureTotals {
  someSeconds: number;
  fullSeconds: number;
}

export interface HostLoad {
  cpu: CpuLoad;
  memory: MemoryLoad;
  /** Absent: the kernel does not measure it (`psi=0`). */
  pressure?: Record<'cpu' | 'memory' | 'io', PressureTotals>;
}

/** USER_HZ: Linux shows ticks of 1/100 s to programs on every architecture that KVM runs on (time(7)). */
const TICKS_PER_SECOND = 100;

/** How loaded the host is, from procfs. */
export async function readHostLoad(): Promise<HostLoad> {
  const [stat, meminfo, pressure] = await Promise.all([
    readFile('/proc/stat', 'utf8'),
    readFile('/proc/meminfo', 'utf8'),
    readPressure(),
  ]);
  return { cpu: parseStat(stat), memory: parseMeminfo(meminfo), ...(pressure && { pressure }) };
}

/** @throws when the text is not what proc(5) describes. */
export function parseStat(text: string): CpuLoad {
  const lines = text.split('\n');
  const ticks = lines[0]?.split(/\s+/).slice(1).map(Number) ?? [];
  const seconds = (index: number): number => {
    const value = ticks[index];
    if (value === undefined || Number.isNaN(value))
      throw new Error(`/proc/stat has no figure ${index} of the processors`);
    return value / TICKS_PER_SECOND;
  };
  const guestSeconds = seconds(8) + seconds(9);
  return {
    hardwareThreads: lines.filter((line) => /^cpu\d+ /.test(line)).length,
    // The kernel counts guests in user and nice too.
    userSeconds: Math.max(0, seconds(0) + seconds(1) - guestSeconds),
    systemSeconds: seconds(2) + seconds(5) + seconds(6),
    guestSeconds,
    ioWaitSeconds: seconds(4),
    idleSeconds: seconds(3),
    stealSeconds: seconds(7),
  };
}

/** @throws when the text is not what proc(5) describes. */
export function parseMeminfo(text: string): MemoryLoad {
  const bytes = (name: string): number => {
    const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
    if (kibibytes === undefined) throw new Error(`/proc/meminfo has no line ${name}`);
    return Number(kibibytes) * 1024;
  };
  return {
    totalBytes: bytes('MemTotal'),
    availableBytes: bytes('MemAvailable'),
    swapTotalBytes: bytes('SwapTotal'),
    swapFreeBytes: bytes('SwapFree'),
  };
}

/** Older kernels have no `full` for processors, where it means nothing on the level of the system. */
export function parsePressure(text: string): PressureTotals {
  const seconds = (line: string): number =>
    Number(new RegExp(`^${line} .*total=(\\d+)$`, 'm').exec(text)?.[1] ?? 0) / 1e6;
  return { someSeconds: seconds('some'), fullSeconds: seconds('full') };
}

async function readPressure(): Promise<HostLoad['pressure']> {
  try {
    const [cpu, memory, io] = await Promise.all(
      ['cpu', 'memory', 'io'].map(async (name) => parsePressure(await readFile(`/proc/pressure/${name}`, 'utf8'))),
    );
    return cpu && memory && io ? { cpu, memory, io } : undefined;
  } catch (error) {
    // ENOENT: not compiled in. EOPNOTSUPP: switched off at boot.
    if (isSystemError(error, 'ENOENT', 'EOPNOTSUPP')) return undefined;
    throw error;
  }
}
