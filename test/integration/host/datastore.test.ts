import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { IDENTITY_FILE } from '../../../src/host/datastore/identity.ts';
import { DatastoreError, DatastoreFiles } from '../../../src/host/index.ts';
import { waitFor } from '../../lab/wait.ts';
import { freezableFileSystem, run, scratchDirectory, smallFileSystem } from './scratch.ts';

const UID = '6d3c2c50-5b1b-4f0e-9d0e-0d8f3a1c7e01';

function openFiles(options: ConstructorParameters<typeof DatastoreFiles>[0] = {}): DatastoreFiles {
  // Starting a process takes its time on a busy machine.
  const files = new DatastoreFiles({ timeoutMs: 30_000, ...options });
  onTestFinished(() => files.close());
  return files;
}

/** A datastore with an identity, and a Volume's place in it. */
async function datastore(root = scratchDirectory()) {
  const files = openFiles();
  const { identity = '' } = await files.call('probe', { root, create: true });
  const place = { root, identity, namespace: 'default', file: `data.${UID}.qcow2`, partialPrefix: `.${UID}.` };
  return { root, files, identity, place, folder: join(root, 'volumes', 'default') };
}

const failureOf = async (call: Promise<unknown>): Promise<string> => {
  const error = await call.then(
    () => expect.fail('it succeeded'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof DatastoreError) return error.failure;
  throw error;
};

describe('the identity of a datastore', () => {
  it('is a UUID that is made once', async () => {
    const root = scratchDirectory();
    const files = openFiles();
    expect((await files.call('probe', { root, create: false })).identity).toBeUndefined();
    const made = await files.call('probe', { root, create: true });
    expect(readFileSync(join(root, IDENTITY_FILE), 'utf8')).toBe(`${made.identity}\n`);
    expect(await files.call('probe', { root, create: true })).toMatchObject({ identity: made.identity });
    expect(readdirSync(root)).toEqual([IDENTITY_FILE]);
  });

  it('is the same for all of many hosts that make it at once', async () => {
    const root = scratchDirectory();
    const hosts = [openFiles(), openFiles(), openFiles()];
    const calls = hosts.flatMap((files) =>
      Array.from({ length: 10 }, () => files.call('probe', { root, create: true })),
    );
    const identities = new Set((await Promise.all(calls)).map(({ identity }) => identity));
    expect(identities.size).toBe(1);
    expect(readdirSync(root)).toEqual([IDENTITY_FILE]);
  });

  it.each([
    ['empty', (path: string) => writeFileSync(path, '')],
    ['something else', (path: string) => writeFileSync(path, 'hello\n')],
    ['a link', (path: string) => symlinkSync('/etc/hostname', path)],
    ['a FIFO', (path: string) => run('mkfifo', path)],
    ['a directory', (path: string) => mkdirSync(path)],
  ])('is not replaced and not believed when the file is %s', async (_what, make) => {
    const root = scratchDirectory();
    make(join(root, IDENTITY_FILE));
    expect(await failureOf(openFiles().call('probe', { root, create: true }))).toMatch(/Refused|Failed/);
  });

  it('is never made where there is no directory', async () => {
    const root = join(scratchDirectory(), 'not-mounted');
    expect(await failureOf(openFiles().call('probe', { root, create: true }))).toBe('Missing');
    expect(existsSync(root)).toBe(false);
  });

  it('comes with the size of the file system', async () => {
    const root = smallFileSystem(8 * 2 ** 20);
    const space = await openFiles().call('probe', { root, create: true });
    expect(space.capacityBytes).toBe(8 * 2 ** 20);
    expect(space.freeBytes).toBeGreaterThan(7 * 2 ** 20);
  });
});

describe('the files of a Volume', () => {
  it('appear whole: prepared beside their place, then linked into it', async () => {
    const { files, place, folder } = await datastore();
    const args = { ...place, partial: `.${UID}.1.partial` };
    await files.call('prepareVolume', args);
    expect(await files.call('findVolume', place)).toEqual({ exists: false });
    expect(statSync(join(folder, args.partial)).mode & 0o777).toBe(0o600);
    writeFileSync(join(folder, args.partial), Buffer.alloc(100_000, 1));
    expect(await files.call('commitVolume', args)).toBe(true);
    expect(await files.call('findVolume', place)).toMatchObject({ exists: true });
    expect(readdirSync(folder)).toEqual([place.file]);
  });

  it('lie in directories that QEMU can pass through and nobody can list', async () => {
    const { root, files, place, folder } = await datastore();
    await files.call('prepareVolume', { ...place, partial: `.${UID}.1.partial` });
    expect([statSync(join(root, 'volumes')).mode & 0o777, statSync(folder).mode & 0o777]).toEqual([0o711, 0o711]);
  });

  it('are never replaced by a slower host', async () => {
    const { files, place, folder } = await datastore();
    const slow = { ...place, partial: `.${UID}.slow.partial` };
    await files.call('prepareVolume', slow);
    writeFileSync(join(folder, place.file), 'in use by a VM');
    expect(await files.call('commitVolume', slow)).toBe(false);
    expect(readFileSync(join(folder, place.file), 'utf8')).toBe('in use by a VM');
    expect(readdirSync(folder)).toEqual([place.file]);
  });

  it('of an earlier try are removed by the next, which makes a commit of the earlier one fail', async () => {
    const { files, place, folder } = await datastore();
    const [first, second] = [`.${UID}.1.partial`, `.${UID}.2.partial`];
    await files.call('prepareVolume', { ...place, partial: first });
    writeFileSync(join(folder, '.other.partial'), 'of another Volume');
    await files.call('prepareVolume', { ...place, partial: second });
    expect(readdirSync(folder).sort()).toEqual([second, '.other.partial'].sort());
    expect(await failureOf(files.call('commitVolume', { ...place, partial: first }))).toBe('Failed');
    expect(await files.call('findVolume', place)).toEqual({ exists: false });
  });

  it('are removed with all that is unfinished, and removing them again is no error', async () => {
    const { files, place, folder } = await datastore();
    await files.call('prepareVolume', { ...place, partial: `.${UID}.1.partial` });
    writeFileSync(join(folder, place.file), 'data');
    writeFileSync(join(folder, 'other.qcow2'), 'of another Volume');
    await files.call('removeVolume', place);
    await files.call('removeVolume', place);
    expect(readdirSync(folder)).toEqual(['other.qcow2']);
  });

  it('of a namespace that has none are simply not there', async () => {
    const { files, place } = await datastore();
    expect(await files.call('findVolume', place)).toEqual({ exists: false });
    await files.call('removeVolume', place);
  });

  it('are not touched when the file system was unmounted', async () => {
    const { root, files, place } = await datastore();
    renameSync(root, `${root}.away`);
    onTestFinished(() => void run('rm', '-rf', `${root}.away`));
    mkdirSync(root);
    expect(await failureOf(files.call('prepareVolume', { ...place, partial: `.${UID}.1.partial` }))).toBe(
      'WrongIdentity',
    );
    expect(readdirSync(root)).toEqual([]);
  });

  it.each([
    ['a namespace that climbs', { namespace: '..' }],
    ['a namespace with a slash', { namespace: 'a/../../b' }],
    ['a file that climbs', { file: '../../victim' }],
    ['a file with a slash', { file: 'a/b' }],
    ['a prefix that fits all', { partialPrefix: '.' }],
    ['an empty prefix', { partialPrefix: '' }],
  ])('are not looked for elsewhere: %s', async (_what, change) => {
    const { root, files, place, folder } = await datastore();
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(root, 'victim'), 'data');
    expect(await failureOf(files.call('removeVolume', { ...place, ...change }))).toBe('Refused');
    expect(existsSync(join(root, 'victim'))).toBe(true);
  });

  it.each(['volumes', 'volumes/default'])('are not reached through a link at %s', async (link) => {
    const { root, files, place } = await datastore();
    const outside = join(scratchDirectory(), 'outside');
    mkdirSync(join(outside, 'default'), { recursive: true });
    for (const folder of [outside, join(outside, 'default')]) writeFileSync(join(folder, place.file), 'victim');
    if (link !== 'volumes') mkdirSync(join(root, 'volumes'));
    symlinkSync(outside, join(root, link));
    expect(await failureOf(files.call('removeVolume', place))).toBe('Refused');
    expect(existsSync(join(outside, 'default', place.file)) && existsSync(join(outside, place.file))).toBe(true);
  });

  it('tell a full file system from others', async () => {
    const { root, files, place } = await datastore(smallFileSystem(2 ** 20));
    expect(() => writeFileSync(join(root, 'filler'), Buffer.alloc(2 ** 21))).toThrow(/ENOSPC/);
    const error = await files
      .call('prepareVolume', { ...place, partial: `.${UID}.1.partial` })
      .then(() => files.call('commitVolume', { ...place, partial: `.${UID}.1.partial` }))
      .catch((thrown: unknown) => thrown);
    expect(error === true || (error instanceof DatastoreError && error.code === 'ENOSPC')).toBe(true);
  });
});

describe('the file of an Image', () => {
  async function images() {
    const { root, files, identity } = await datastore();
    mkdirSync(join(root, 'images', 'debian'), { recursive: true });
    const find = (path: string) => files.call('findImage', { root, identity, path });
    return { root, find, at: (name: string) => join(root, 'images', name) };
  }

  it('is found below images, also through a link that stays there', async () => {
    const { find, at } = await images();
    writeFileSync(at('debian/12.qcow2'), 'data');
    symlinkSync('debian/12.qcow2', at('latest.qcow2'));
    expect(await find('debian/12.qcow2')).toMatchObject({ found: true, path: at('debian/12.qcow2'), sizeBytes: 4 });
    expect(await find('latest.qcow2')).toMatchObject({ found: true, path: at('debian/12.qcow2') });
  });

  it.each([
    ['NotFound', (_at: string) => undefined],
    ['OutsideOfImages', (at: string) => symlinkSync('/etc/shadow', at)],
    ['OutsideOfImages', (at: string) => symlinkSync('../.drover-datastore', at)],
    ['OutsideOfImages', (at: string) => symlinkSync('/dev/zero', at)],
    ['NotAFile', (at: string) => run('mkfifo', at)],
    ['NotAFile', (at: string) => run('mknod', at, 'c', '1', '5')],
    ['NotAFile', (at: string) => mkdirSync(at)],
    ['NotAFile', (at: string) => symlinkSync('i', at)],
    ['NotFound', (at: string) => symlinkSync('nowhere', at)],
  ])('is refused with %s', async (reason, make) => {
    const { find, at } = await images();
    make(at('i'));
    expect(await find('i')).toMatchObject({ found: false, reason });
  });

  it.each(['../.drover-datastore', '../../../../etc/shadow', 'debian/../../.drover-datastore'])(
    'is not looked for outside of images: %s',
    async (path) => {
      const { find } = await images();
      expect(await find(path)).toMatchObject({ found: false });
    },
  );
});

describe('a datastore that hangs', () => {
  it('fails its own calls in time, stays refused while it hangs, and comes back by itself', async () => {
    const { root, freeze } = freezableFileSystem();
    const other = await datastore();
    const files = openFiles({ timeoutMs: 2_000 });
    const { identity = '' } = await openFiles().call('probe', { root, create: true });
    const place = { root, identity, namespace: 'default', file: `data.${UID}.qcow2`, partialPrefix: `.${UID}.` };
    await files.call('findVolume', place, 30_000);
    freeze();
    const hung = failureOf(files.call('prepareVolume', { ...place, partial: `.${UID}.1.partial` }));
    // Neither file operations of the agent itself nor those on other datastores wait.
    expect(readFileSync('/proc/self/stat', 'utf8')).not.toBe('');
    expect(await other.files.call('findVolume', other.place)).toEqual({ exists: false });
    expect(await hung).toBe('Hung');
    expect(await failureOf(files.call('findVolume', place))).toBe('Hung');
    run('fsfreeze', '--unfreeze', root);
    await waitFor(
      'the datastore to answer again',
      async () => {
        const answer = await files.call('findVolume', place, 30_000).catch(String);
        return typeof answer === 'string' ? { ready: false, because: answer } : { ready: true, value: answer };
      },
      { timeoutMs: 30_000 },
    );
  });
});

describe('the process that works on a datastore', () => {
  it('ends when it has nothing to do, and starts again', async () => {
    const root = scratchDirectory();
    const files = openFiles({ idleMs: 1 });
    const first = await files.call('probe', { root, create: true });
    await waitFor(
      'the process to end',
      () => (childrenNamed('child.ts') === 0 ? { ready: true, value: 0 } : { ready: false, because: 'it runs' }),
      { timeoutMs: 10_000 },
    );
    expect((await files.call('probe', { root, create: false })).identity).toBe(first.identity);
  });

  it('is missed but not mourned when somebody kills it', async () => {
    const root = scratchDirectory();
    const files = openFiles();
    await files.call('probe', { root, create: true });
    chmodSync(root, 0o755);
    for (const pid of pidsNamed('child.ts')) process.kill(pid, 'SIGKILL');
    const identity = await waitFor(
      'the next call to succeed',
      async () => {
        const answer = await files.call('probe', { root, create: false }).catch(String);
        return typeof answer === 'string' ? { ready: false, because: answer } : { ready: true, value: answer.identity };
      },
      { timeoutMs: 20_000 },
    );
    expect(identity).toBeDefined();
  });
});

/** Processes of this test whose program has this name. */
function pidsNamed(program: string): number[] {
  return readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8')
    .split(' ')
    .filter((pid) => pid !== '')
    .map(Number)
    .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(program));
}

function childrenNamed(program: string): number {
  return pidsNamed(program).length;
}
