import { randomUUID } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  identityOf,
  type LabIdentity,
  PORTS_PER_SLOT,
  portsOfSlot,
  preferredSlot,
  SLOT_COUNT,
  subnetOfSlot,
} from './identity.ts';

/**
 * Which slot of this machine's shared things (subnets, ports) is mine?
 *
 * One claim file per taken slot; two labs coming up at once cannot both make it. A claim lasts until `down` or until the
 * machine reboots, which empties /run.
 */
const CLAIMS_FOLDER = '/run/lock/drover-lab';

/** What already stands in the way of a slot, besides the claims of other labs. */
export interface MachineUse {
  readonly listeningPorts: ReadonlySet<number>;
  /** Destinations of the machine's routes, without the default route. */
  readonly routes: readonly Ipv4Range[];
}

export interface Ipv4Range {
  readonly first: number;
  readonly last: number;
}

/**
 * The identity of a lab, with a slot that stays the same until `releaseIdentity`. Also makes the lab's folder.
 * @throws when every slot is taken.
 */
export function claimIdentity(
  checkout: string,
  instance: string,
  machine: () => MachineUse = readMachineUse,
  claimsFolder: string = CLAIMS_FOLDER,
): LabIdentity {
  const preferred = preferredSlot(checkout, instance);
  const { folder } = identityOf(checkout, instance, preferred);
  mkdirSync(folder, { recursive: true });
  mkdirSync(claimsFolder, { recursive: true, mode: 0o1777 });

  // Its own ports are in use when it runs: that it had the slot before counts, also when somebody emptied /run.
  const own = ownSlot(folder);
  if (own !== undefined && take(own, folder, claimsFolder)) return identityOf(checkout, instance, own);

  const inUse = machine();
  for (let step = 0; step < SLOT_COUNT; step++) {
    const slot = (preferred + step) % SLOT_COUNT;
    if (isUsable(slot, inUse) && take(slot, folder, claimsFolder)) {
      writeFileSync(slotFile(folder), `${slot}\n`);
      return identityOf(checkout, instance, slot);
    }
  }
  throw new Error(
    `No slot is left for the lab in ${folder}: all ${SLOT_COUNT} subnets and port ranges are taken. ` +
      `Stop other labs with "make lab-down" in their checkouts, which the files in ${claimsFolder} name; ` +
      'a file there whose checkout is gone may be deleted.',
  );
}

/** The identity that this lab has claimed; undefined when it has none, because it is down. */
export function findIdentity(checkout: string, instance: string): LabIdentity | undefined {
  const slot = ownSlot(identityOf(checkout, instance, 0).folder);
  return slot === undefined ? undefined : identityOf(checkout, instance, slot);
}

export function releaseIdentity(lab: LabIdentity, claimsFolder: string = CLAIMS_FOLDER): void {
  const claim = claimFile(lab.slot, claimsFolder);
  if (ownerOf(claim) === lab.folder) rmSync(claim, { force: true });
  rmSync(slotFile(lab.folder), { force: true });
}

export function isUsable(slot: number, machine: MachineUse): boolean {
  const { etcdClient } = portsOfSlot(slot);
  for (let port = etcdClient; port < etcdClient + PORTS_PER_SLOT; port++) {
    if (machine.listeningPorts.has(port)) return false;
  }
  const first = ipv4ToNumber(subnetOfSlot(slot).network);
  const last = first + 255;
  return !machine.routes.some((route) => route.first <= last && first <= route.last);
}

/** The claim appears whole or not at all: written aside, then linked, which fails if another lab was faster. */
function take(slot: number, owner: string, claimsFolder: string): boolean {
  const draft = join(claimsFolder, `.${randomUUID()}`);
  const claim = claimFile(slot, claimsFolder);
  try {
    writeFileSync(draft, `${owner}\n`);
    linkSync(draft, claim);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return ownerOf(claim) === owner;
    throw new Error(
      `Cannot claim lab slot ${slot} in ${claimsFolder}. Run the lab as root, or make that folder writable.`,
      { cause: error },
    );
  } finally {
    rmSync(draft, { force: true });
  }
}

function ownSlot(folder: string): number | undefined {
  const file = slotFile(folder);
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : undefined;
}

function slotFile(folder: string): string {
  return join(folder, 'slot');
}

function ownerOf(claim: string): string | undefined {
  return existsSync(claim) ? readFileSync(claim, 'utf8').trim() : undefined;
}

function claimFile(slot: number, claimsFolder: string): string {
  return join(claimsFolder, String(slot).padStart(3, '0'));
}

function readMachineUse(): MachineUse {
  return {
    listeningPorts: new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => parseListeningPorts(read(file)))),
    routes: parseRoutes(read('/proc/net/route')),
  };
}

/** proc(5): column 2 is `address:port`, column 4 the state, 0A = LISTEN; numbers are hexadecimal. */
export function parseListeningPorts(table: string): number[] {
  return rows(table)
    .filter((row) => row[3] === '0A')
    .map((row) => Number.parseInt(row[1]?.split(':')[1] ?? '', 16));
}

/** Column 2 is the destination, column 8 the mask, both in the machine's byte order (little-endian here). */
export function parseRoutes(table: string): Ipv4Range[] {
  return rows(table)
    .map((row) => ({ first: littleEndian(row[1] ?? ''), mask: littleEndian(row[7] ?? '') }))
    .filter(({ mask }) => mask !== 0)
    .map(({ first, mask }) => ({ first, last: first + (0xffff_ffff - mask) }));
}

function rows(table: string): string[][] {
  return table
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
}

function littleEndian(hex: string): number {
  return Buffer.from(hex, 'hex').readUInt32LE(0);
}

function ipv4ToNumber(address: string): number {
  return Buffer.from(address.split('.').map(Number)).readUInt32BE(0);
}

/** A kernel without IPv6 has no tcp6 table: then nothing listens there. */
function read(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
