import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { judgeImage } from '../../../src/core/storage/image-verdict.ts';
import {
  convertImage,
  createImage,
  growImage,
  inspectImage,
  isImageOpen,
  isLockError,
  isSpaceError,
} from '../../../src/host/qemu-img.ts';
import { ToolError } from '../../../src/host/run-tool.ts';
import { waitFor } from '../../lab/wait.ts';
import { run, scratchDirectory, smallFileSystem } from './scratch.ts';

const MIB = 2 ** 20;

/** The bytes that a guest would see. */
function content(image: string, format = 'qcow2'): Buffer {
  const raw = `${image}.content`;
  run('qemu-img', 'convert', '-f', format, '-O', 'raw', image, raw);
  return readFileSync(raw);
}

/** A file of random bytes. */
function pattern(path: string, bytes: number): Buffer {
  const data = randomBytes(bytes);
  writeFileSync(path, data);
  return data;
}

async function rejection(call: Promise<unknown>): Promise<unknown> {
  return await call.then(
    () => expect.fail('it succeeded'),
    (error: unknown) => error,
  );
}

/** A QEMU that has a disk open and runs no guest. */
async function openInQemu(image: string, readOnly: boolean): Promise<void> {
  const drive = `file=${image},format=qcow2,if=virtio,readonly=${readOnly ? 'on' : 'off'}`;
  const args = ['-M', 'q35', '-accel', 'tcg', '-nodefaults', '-display', 'none', '-S', '-drive', drive];
  const qemu = spawn('qemu-system-x86_64', args, { stdio: 'ignore' });
  onTestFinished(() => {
    qemu.kill('SIGKILL');
  });
  await waitFor(
    'QEMU to open the disk',
    async () =>
      (await isImageOpen(image)) ? { ready: true, value: qemu } : { ready: false, because: 'it is not open' },
    { timeoutMs: 20_000 },
  );
}

describe('a blank image', () => {
  it.each([
    ['off', 0, MIB],
    ['falloc', 8 * MIB, 9 * MIB],
    ['full', 8 * MIB, 9 * MIB],
  ] as const)('with preallocation %s takes its space accordingly', async (preallocation, atLeast, atMost) => {
    const path = join(scratchDirectory(), 'v.qcow2');
    await createImage({ path, sizeBytes: 8 * MIB, preallocation });
    const info = await inspectImage(path, { format: 'qcow2' });
    expect(info).toMatchObject({ format: 'qcow2', virtualSizeBytes: 8 * MIB, encrypted: false, corrupt: false });
    expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(atLeast);
    expect(statSync(path).blocks * 512).toBeLessThanOrEqual(atMost);
  });

  it('keeps the permissions of the file that was made for it', async () => {
    const path = join(scratchDirectory(), 'v.qcow2');
    writeFileSync(path, '', { mode: 0o600 });
    await createImage({ path, sizeBytes: MIB, preallocation: 'off' });
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('says that the file system is full', async () => {
    const path = join(smallFileSystem(4 * MIB), 'v.qcow2');
    const error = await rejection(createImage({ path, sizeBytes: 64 * MIB, preallocation: 'falloc' }));
    expect(isSpaceError(error)).toBe(true);
  });
});

describe('a copy', () => {
  it.each(['raw', 'qcow2'] as const)('of a %s image holds the same bytes, and says how far it is', async (format) => {
    const directory = scratchDirectory();
    const data = pattern(join(directory, 'source.raw'), 6 * MIB);
    run('qemu-img', 'convert', '-f', 'raw', '-O', format, join(directory, 'source.raw'), join(directory, 'source'));
    const targetPath = join(directory, 'copy.qcow2');
    const progress: number[] = [];
    const source = { path: join(directory, 'source'), format };
    const onProgress = (fraction: number) => progress.push(fraction);
    await convertImage({ source, sourceSizeBytes: 6 * MIB, targetPath, preallocation: 'off', onProgress });
    expect(content(targetPath).equals(data)).toBe(true);
    expect(progress.at(-1)).toBe(1);
  });

  it('never reads a backing file, even if the image got one after it was inspected', async () => {
    const directory = scratchDirectory();
    const secret = join(directory, 'secret');
    writeFileSync(secret, Buffer.alloc(MIB, 'secret'));
    const image = join(directory, 'hostile.qcow2');
    run('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', secret, '-F', 'raw', image);
    const targetPath = join(directory, 'copy.qcow2');
    const source = { path: image, format: 'qcow2' } as const;
    await convertImage({ source, sourceSizeBytes: MIB, targetPath, preallocation: 'off' });
    expect(content(targetPath).includes('secret')).toBe(false);
  });

  it('is stopped when its caller gives up', async () => {
    const directory = scratchDirectory();
    pattern(join(directory, 'source.raw'), 64 * MIB);
    const stop = new AbortController();
    const copy = convertImage({
      source: { path: join(directory, 'source.raw'), format: 'raw' },
      sourceSizeBytes: 64 * MIB,
      targetPath: join(directory, 'copy.qcow2'),
      preallocation: 'off',
      onProgress: () => stop.abort(),
      signal: stop.signal,
    });
    expect(await rejection(copy)).toMatchObject({ failure: 'Aborted' });
  });

  it('says that the file system is full', async () => {
    const source = { path: join(scratchDirectory(), 'source.raw'), format: 'raw' } as const;
    pattern(source.path, 8 * MIB);
    const targetPath = join(smallFileSystem(4 * MIB), 'copy.qcow2');
    const error = await rejection(convertImage({ source, sourceSizeBytes: 8 * MIB, targetPath, preallocation: 'off' }));
    expect(isSpaceError(error)).toBe(true);
  });
});

describe('growing', () => {
  it('keeps the data and adds zeros', async () => {
    const directory = scratchDirectory();
    const data = pattern(join(directory, 'source.raw'), MIB);
    const path = join(directory, 'v.qcow2');
    run('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', join(directory, 'source.raw'), path);
    await growImage({ file: { path, format: 'qcow2' }, sizeBytes: 2 * MIB, preallocation: 'off' });
    expect(content(path).equals(Buffer.concat([data, Buffer.alloc(MIB)]))).toBe(true);
  });

  it('is refused while a QEMU has the disk open', async () => {
    const path = join(scratchDirectory(), 'v.qcow2');
    await createImage({ path, sizeBytes: MIB, preallocation: 'off' });
    await openInQemu(path, false);
    const error = await rejection(
      growImage({ file: { path, format: 'qcow2' }, sizeBytes: 2 * MIB, preallocation: 'off' }),
    );
    expect(isLockError(error)).toBe(true);
    expect((await inspectImage(path, { inUse: true })).virtualSizeBytes).toBe(MIB);
  });
});

describe('isImageOpen', () => {
  it.each([true, false])('sees a QEMU that has the disk open (read only: %s)', async (readOnly) => {
    const path = join(scratchDirectory(), 'v.qcow2');
    await createImage({ path, sizeBytes: MIB, preallocation: 'off' });
    expect(await isImageOpen(path)).toBe(false);
    await openInQemu(path, readOnly);
    expect(await isImageOpen(path)).toBe(true);
  });

  it('writes nothing, whatever the file holds', async () => {
    const path = join(scratchDirectory(), 'v');
    writeFileSync(path, 'no image at all');
    expect(await isImageOpen(path)).toBe(false);
    expect(readFileSync(path, 'utf8')).toBe('no image at all');
  });
});

/** Makes a hostile image in a directory and returns its path. */
type Recipe = (directory: string) => string;

const create =
  (...args: readonly string[]): Recipe =>
  (directory) => {
    const path = join(directory, 'i.img');
    run('qemu-img', 'create', '-q', ...args.map((arg) => arg.replaceAll('DIR', directory)), path, '1M');
    return path;
  };

/** A valid qcow2 whose header is then changed. Source of the offsets: QEMU's docs/interop/qcow2.txt. */
const patched =
  (change: (image: Buffer) => void): Recipe =>
  (directory) => {
    const path = create('-f', 'qcow2')(directory);
    const image = readFileSync(path);
    change(image);
    writeFileSync(path, image);
    return path;
  };

const sparse =
  (bytes: number): Recipe =>
  (directory) => {
    const path = join(directory, 'i.img');
    writeFileSync(path, '');
    truncateSync(path, bytes);
    return path;
  };

describe('a hostile image', () => {
  it.each<[string, Recipe, string]>([
    ['with a backing file', create('-f', 'qcow2', '-u', '-b', '/etc/shadow', '-F', 'raw'), 'BackingFile'],
    [
      'with a backing file that is a protocol',
      create('-f', 'qcow2', '-u', '-b', 'nbd://127.0.0.1:1/x', '-F', 'raw'),
      'BackingFile',
    ],
    [
      'with a JSON backing file',
      create('-f', 'qcow2', '-u', '-b', 'json:{"driver":"file","filename":"/etc/shadow"}', '-F', 'raw'),
      'BackingFile',
    ],
    [
      'with an external data file',
      create('-f', 'qcow2', '-o', 'data_file=DIR/data,data_file_raw=on'),
      'ExternalDataFile',
    ],
    ['that is encrypted', patched((image) => image.writeUInt32BE(1, 32)), 'Encrypted'],
    ['that is marked corrupt', patched((image) => image.writeBigUInt64BE(2n, 72)), 'Corrupt'],
    ['that claims 2^60 bytes', patched((image) => image.writeBigUInt64BE(2n ** 60n, 24)), 'unreadable'],
    ['with a huge L1 table', patched((image) => image.writeUInt32BE(0x7fffffff, 36)), 'unreadable'],
    ['of a newer version', patched((image) => image.writeUInt32BE(9, 4)), 'unreadable'],
    ['with clusters of 2^63 bytes', patched((image) => image.writeUInt32BE(63, 20)), 'unreadable'],
    ['that is a VMDK', create('-f', 'vmdk'), 'UnsupportedFormat'],
    ['that is a VDI', create('-f', 'vdi'), 'UnsupportedFormat'],
    ['that is larger than any disk', sparse(100 * 2 ** 40), 'TooLarge'],
    ['that is empty', sparse(0), 'Empty'],
  ])('%s is refused', async (_what, recipe, reason) => {
    const directory = largeFileDirectory();
    const path = recipe(directory);
    expect(await reasonOf(path)).toBe(reason);
  });

  it('of 4 GiB of L1 table entries costs the host neither memory nor time', async () => {
    const path = patched((image) => image.writeUInt32BE(4 * MIB, 36))(scratchDirectory());
    const startMs = performance.now();
    await reasonOf(path);
    expect(performance.now() - startMs).toBeLessThan(15_000);
  });

  it('that is a device or a directory is not read for ever', async () => {
    const directory = scratchDirectory();
    mkdirSync(join(directory, 'd'));
    symlinkSync('/dev/zero', join(directory, 'zero'));
    for (const path of [join(directory, 'd'), join(directory, 'zero')])
      expect(await reasonOf(path)).not.toBe('accepted');
  });

  it('whose name looks like a protocol is just a file', async () => {
    const path = join(scratchDirectory(), 'nbd:127.0.0.1:1');
    await createImage({ path, sizeBytes: MIB, preallocation: 'off' });
    expect(await inspectImage(path)).toMatchObject({ format: 'qcow2', virtualSizeBytes: MIB });
  });
});

async function reasonOf(path: string): Promise<string> {
  try {
    const verdict = judgeImage(path, await inspectImage(path));
    return verdict.ok ? 'accepted' : verdict.reason;
  } catch (error) {
    if (error instanceof ToolError && error.failure === 'Failed') return 'unreadable';
    throw error;
  }
}

/** On a file system that has sparse files of 100 TiB, which ext4 has not. */
function largeFileDirectory(): string {
  return smallFileSystem(16 * MIB);
}
