import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { run } from '../../run.ts';
import { type CpioEntry, cpioArchive } from './cpio.ts';
import type { UnpackedPackages } from './packages.ts';
import { DRIVERS, SCRIPTS, SCRIPTS_FOLDER } from './recipe.ts';

const LIBRARY_FOLDERS = ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu'];
const GUEST_AGENT = 'usr/sbin/qemu-ga';
const LOADER = 'lib64/ld-linux-x86-64.so.2';

/** Folders that start empty. */
const MOUNT_POINTS = ['dev', 'proc', 'root', 'run', 'sys', 'tmp'];

/** The guest's whole file system: busybox, the drivers, the guest agent and the scripts beside this file. */
export async function initramfs(packages: UnpackedPackages): Promise<Buffer> {
  const files = [
    file('bin/busybox', join(packages.root, 'bin/busybox'), true),
    ...(await guestAgentFiles(packages.root)),
    ...(await driverFiles(packages)),
    ...SCRIPTS.map(({ source, path, executable }) => file(path, join(SCRIPTS_FOLDER, source), executable)),
  ];
  const links = [
    link('init', 'bin/busybox'),
    ...(await applets(packages.root)).map((name) => link(`bin/${name}`, 'busybox')),
    ...['init', 'poweroff', 'reboot', 'halt', 'acpid', 'modprobe'].map((name) =>
      link(`sbin/${name}`, '../bin/busybox'),
    ),
    link('etc/acpi/PWRB', 'PWRF'),
    link('var/run', '../run'),
  ];
  // The kernel opens it as standard output of /init, before /dev is mounted.
  const console: CpioEntry = { type: 'character device', path: 'dev/console', major: 5, minor: 1 };
  const members = [...files, ...links, console];
  return cpioArchive([
    ...foldersOf([...members.map((entry) => entry.path), ...MOUNT_POINTS.map((folder) => `${folder}/x`)]),
    ...members,
  ]);
}

async function applets(root: string): Promise<string[]> {
  const list = await run(join(root, 'bin/busybox'), ['--list']);
  return list
    .split('\n')
    .filter((name) => name !== '' && name !== 'busybox')
    .sort();
}

/** The agent, its libraries and their loader, at the paths where the loader looks for them. */
async function guestAgentFiles(root: string): Promise<CpioEntry[]> {
  const folders = LIBRARY_FOLDERS.map((folder) => join(root, folder)).join(':');
  const agent = join(root, GUEST_AGENT);
  const list = await run(join(root, LOADER), ['--library-path', folders, '--list', agent]);
  const libraries = [...list.matchAll(/=> (\S+)/g)]
    .map((match) => match[1] ?? '')
    .filter((path) => path.startsWith(root));
  const missing = /^\s*(\S+) => not found/m.exec(list)?.[1];
  if (missing !== undefined) {
    throw new Error(
      `qemu-guest-agent needs ${missing}, which is in no package of the test guest: add it to recipe.ts.`,
    );
  }
  return [
    file('sbin/qemu-ga', agent, true),
    file(LOADER, join(root, LOADER), true),
    ...libraries
      .filter((path) => basename(path) !== basename(LOADER))
      .map((path) => file(join('lib/x86_64-linux-gnu', basename(path)), path, false)),
  ];
}

/** The drivers and depmod's index of just these, at the paths where modprobe looks for them. */
async function driverFiles({ root, kernelRelease }: UnpackedPackages): Promise<CpioEntry[]> {
  const all = join('lib/modules', kernelRelease);
  await run('depmod', ['--basedir', root, kernelRelease]);
  const paths = new Set<string>();
  for (const driver of DRIVERS) {
    const plan = await run('modprobe', ['--dirname', root, '--set-version', kernelRelease, '--show-depends', driver]);
    for (const match of plan.matchAll(/^insmod (\S+)/gm)) paths.add(relative(root, match[1] ?? ''));
  }
  const staged = join(root, 'staged');
  for (const path of paths) {
    mkdirSync(join(staged, dirname(path)), { recursive: true });
    copyFileSync(join(root, path), join(staged, path));
  }
  await run('depmod', ['--basedir', staged, kernelRelease]);
  return [
    ...[...paths].map((path) => file(path, join(root, path), false)),
    ...['modules.dep', 'modules.alias', 'modules.symbols'].map((index) =>
      file(join(all, index), join(staged, all, index), false),
    ),
    { type: 'file', path: 'lib/modules/drivers', executable: false, content: Buffer.from(`${DRIVERS.join('\n')}\n`) },
  ];
}

function foldersOf(paths: readonly string[]): CpioEntry[] {
  const folders = new Set<string>();
  for (const path of paths) {
    for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) folders.add(folder);
  }
  return [...folders].sort().map((path) => ({ type: 'folder', path }));
}

function file(path: string, source: string, executable: boolean): CpioEntry {
  return { type: 'file', path, executable, content: readFileSync(source) };
}

function link(path: string, target: string): CpioEntry {
  return { type: 'link', path, target };
}
