import { chmodSync, mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hostIdentityOf, type LabIdentity } from '../identity.ts';
import { libvirtClientConfig, libvirtdConfig, qemuConfig } from './libvirt-config.ts';

/** Which files does a host have, and where are they seen from outside? */
export interface HostFiles {
  /** `.lab/<instance>/hosts/<name>`: all that a host keeps when its power goes. */
  readonly folder: string;
  /** Stands in for the host's root: what lies here is seen in the host at the same path below `/`. */
  readonly root: string;
  /** The host's /run, emptied at power-on. Short, because a socket's path holds at most 107 bytes (unix(7)). */
  readonly run: string;
  readonly libvirtSocket: string;
  /** There while the network is cut, so that a host that is powered on again stays cut. */
  readonly cutMark: string;
  /** The folder behind the datastore that every host of the lab sees. */
  readonly sharedDatastore: string;
  /** The folder behind the host's own datastore. */
  readonly localDatastore: string;
  readonly libvirtLogs: string;
}

/** Where the datastores are in every host. */
export const SHARED_DATASTORE_PATH = '/var/lib/drover/datastores/shared';
export const LOCAL_DATASTORE_PATH = '/var/lib/drover/datastores/local';

const RUN_FOLDER = '/run/drover-lab';
/** Mount points that the machine itself may lack; empty there. */
const MOUNT_POINTS = ['/var/lib/drover', '/etc/pki'];
/** Folders and files of the host's own; everything else is the machine's. */
const OWN_FOLDERS = [
  'etc/libvirt',
  'etc/pki',
  'var/lib/libvirt',
  'var/cache/libvirt',
  'var/log/libvirt',
  'var/lib/drover',
];

export function hostFilesOf(lab: LabIdentity, index: number): HostFiles {
  const { name } = hostIdentityOf(lab, index);
  const folder = join(lab.folder, 'hosts', name);
  const root = join(folder, 'root');
  const runFolder = join(RUN_FOLDER, lab.tag, name);
  return {
    folder,
    root,
    run: runFolder,
    libvirtSocket: join(runFolder, 'libvirt', 'libvirt-sock'),
    cutMark: join(folder, 'cut'),
    sharedDatastore: sharedDatastoreOf(lab),
    localDatastore: join(root, LOCAL_DATASTORE_PATH),
    libvirtLogs: join(root, 'var/log/libvirt'),
  };
}

/** The folder that every host of the lab sees at `SHARED_DATASTORE_PATH`. */
export function sharedDatastoreOf(lab: LabIdentity): string {
  return join(lab.folder, 'shared');
}

/** Numbers of the hosts that have files, running or not. */
export function hostIndexesOf(lab: LabIdentity): number[] {
  const folder = join(lab.folder, 'hosts');
  return namesIn(folder)
    .map((name) => Number(/^host-(\d+)$/.exec(name)?.[1] ?? Number.NaN))
    .filter((index) => Number.isInteger(index))
    .sort((a, b) => a - b);
}

/** Makes what a host must find at power-on. Disks and logs of earlier runs stay; /run is empty, as after any boot. */
export function layOutHostFiles(lab: LabIdentity, index: number): void {
  const host = hostIdentityOf(lab, index);
  const files = hostFilesOf(lab, index);
  for (const folder of OWN_FOLDERS) mkdirSync(join(files.root, folder), { recursive: true });
  mkdirSync(files.sharedDatastore, { recursive: true });
  mkdirSync(files.localDatastore, { recursive: true });
  // Debian's package brings it along; libvirtd makes only those of its folders that the configuration names.
  mkdirSync(join(files.libvirtLogs, 'qemu'), { recursive: true });
  // The mount point below which the shared datastore appears.
  mkdirSync(join(files.root, SHARED_DATASTORE_PATH), { recursive: true });

  write(join(files.root, 'etc/hostname'), `${host.name}\n`);
  write(join(files.root, 'etc/machine-id'), `${host.uuid.replaceAll('-', '')}\n`);
  write(join(files.root, 'etc/hosts'), `127.0.0.1 localhost\n${host.address} ${host.name}\n`);
  write(join(files.root, 'etc/libvirt/libvirtd.conf'), libvirtdConfig(host));
  write(join(files.root, 'etc/libvirt/qemu.conf'), qemuConfig(host));
  write(join(files.root, 'etc/libvirt/libvirt.conf'), libvirtClientConfig());

  rmSync(files.run, { recursive: true, force: true });
  mkdirSync(join(files.run, 'lock'), { recursive: true });
  // Whoever reaches the libvirt socket is root here.
  chmodSync(files.run, 0o700);
}

/** Removes the host's files, and what was made for all hosts of the machine when nobody else uses it. */
export function removeHostFiles(lab: LabIdentity, index: number): void {
  const files = hostFilesOf(lab, index);
  rmSync(files.run, { recursive: true, force: true });
  rmSync(files.folder, { recursive: true, force: true });
  removeIfEmpty(dirname(files.folder));
  if (removeIfEmpty(dirname(files.run)) && removeIfEmpty(RUN_FOLDER)) MOUNT_POINTS.forEach(removeIfEmpty);
}

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** @returns whether it is gone. */
function removeIfEmpty(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return true;
    if (codeOf(error) === 'ENOTEMPTY' || codeOf(error) === 'EBUSY') return false;
    throw error;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
