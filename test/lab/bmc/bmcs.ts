import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { certificateAuthority, issueCertificate, type KeyPair } from '../control-plane/certificates.ts';
import { hostIdentityOf, type LabIdentity } from '../identity.ts';
import { factsOf, signalProcess } from '../proc.ts';
import { findProcess, isRunning, listProcesses, type ProcessRecord, startProcess, stopProcess } from '../processes.ts';
import { waitUntilReady } from '../ready.ts';
import { waitFor } from '../wait.ts';
import { startIpmiSimulator, startRedfishSimulator } from './simulators.ts';

/**
 * Which BMC has a host of the lab, and how is it reached? Odd hosts speak Redfish, even ones IPMI. A BMC is a process of the machine,
 * not of its host: it answers whatever happens to the host, and reads and switches the host's real power.
 */
export interface LabBmc {
  readonly type: 'Redfish' | 'IPMI';
  /** On the loopback interface, one for each host, as BMCs have. */
  readonly address: string;
  /** TCP of HTTPS, or UDP of RMCP+. */
  readonly port: number;
  readonly username: string;
  readonly password: string;
  /** PEM. Only with Redfish. */
  readonly certificateAuthority: string | undefined;
}

/** `Unplugged`: it runs, and answers nothing. */
export type LabBmcState = 'Answers' | 'Unplugged' | 'Stopped';

/** What the power board starts with a host's power. */
export type PoweredOn = 'LibvirtdAndAgent' | 'Libvirtd';

const USERNAME = 'drover';
const BOARD = 'bmc.power-board';
const READY_TIMEOUT_MS = 20_000;
const SIGNAL_TIMEOUT_MS = 2_000;

/** How to reach the BMC of a host, whether it runs or not. @param index 1 for the first host. */
export async function bmcOf(lab: LabIdentity, index: number): Promise<LabBmc> {
  const type = index % 2 === 1 ? 'Redfish' : 'IPMI';
  return {
    type,
    address: bmcAddressOf(lab, index),
    port: lab.ports.bmc,
    username: USERNAME,
    password: passwordOf(lab),
    certificateAuthority: type === 'Redfish' ? readFileSync((await authorityOf(lab)).certificate, 'utf8') : undefined,
  };
}

/** Starts the BMCs of those hosts that have none, and plugs in those that are unplugged. */
export async function startBmcs(lab: LabIdentity, indexes: readonly number[], poweredOn: PoweredOn): Promise<void> {
  await startBoard(lab, poweredOn);
  await Promise.all(indexes.map((index) => startBmc(lab, index)));
  await Promise.all(indexes.map((index) => plugBmc(lab, index)));
  for (const index of indexes) letBmcTellTheTruth(lab, index);
}

/** Stops all BMCs of the lab and what switches for them, so that nobody gives a host power while it is taken away. */
export async function stopBmcs(lab: LabIdentity): Promise<void> {
  const names = listProcesses(lab.folder).map(({ name }) => name);
  await Promise.all(
    names.filter((name) => name.startsWith('bmc.')).map((name) => stopProcess(lab.folder, name, { graceMs: 0 })),
  );
  rmSync(boardSocketOf(lab), { force: true });
}

/** From now on it answers nothing, as if its cable were unplugged; connections are taken by nobody. Until `plugBmc`. */
export async function unplugBmc(lab: LabIdentity, index: number): Promise<void> {
  await signalled(lab, index, 'SIGSTOP', 'Unplugged');
}

export async function plugBmc(lab: LabIdentity, index: number): Promise<void> {
  await signalled(lab, index, 'SIGCONT', 'Answers');
}

/** From now on it says that the host is off, whatever the host does, and switches nothing off. Until `letBmcTellTheTruth`. */
export function letBmcLie(lab: LabIdentity, index: number): void {
  writeFileSync(lieOf(lab, index), '');
}

export function letBmcTellTheTruth(lab: LabIdentity, index: number): void {
  rmSync(lieOf(lab, index), { force: true });
}

export function bmcLies(lab: LabIdentity, index: number): boolean {
  return existsSync(lieOf(lab, index));
}

async function signalled(
  lab: LabIdentity,
  index: number,
  signal: 'SIGSTOP' | 'SIGCONT',
  wanted: LabBmcState,
): Promise<void> {
  signalProcess(running(lab, index).pid, signal);
  await waitFor(
    `the BMC of host-${index} to be ${wanted}`,
    () => {
      const state = bmcStateOf(lab, index);
      return state === wanted ? { ready: true, value: undefined } : { ready: false, because: `it is ${state}` };
    },
    { timeoutMs: SIGNAL_TIMEOUT_MS, intervalMs: 2 },
  );
}

export function bmcStateOf(lab: LabIdentity, index: number): LabBmcState {
  const record = findProcess(lab.folder, processNameOf(lab, index));
  if (record === undefined || !isRunning(record)) return 'Stopped';
  return factsOf(record.pid)?.state === 'T' ? 'Unplugged' : 'Answers';
}

async function startBoard(lab: LabIdentity, poweredOn: PoweredOn): Promise<void> {
  const socket = boardSocketOf(lab);
  const record = await startProcess(lab.folder, {
    name: BOARD,
    command: process.execPath,
    args: [join(import.meta.dirname, 'lab-power-board.ts'), lab.checkout, lab.instance, socket, poweredOn],
  });
  await waitUntilReady(
    record,
    () => (existsSync(socket) ? { ready: true, value: undefined } : { ready: false, because: 'it does not listen' }),
    { timeoutMs: READY_TIMEOUT_MS },
  );
}

async function startBmc(lab: LabIdentity, index: number): Promise<void> {
  if (bmcStateOf(lab, index) !== 'Stopped') return;
  const { name, uuid } = hostIdentityOf(lab, index);
  const { type, address, port, username, password } = await bmcOf(lab, index);
  const machine = { name, uuid };
  const common = { labFolder: lab.folder, name: processNameOf(lab, index), address, port, username, password };
  const options = { ...common, board: boardSocketOf(lab) };
  if (type === 'IPMI') {
    await startIpmiSimulator({ ...options, machine });
    return;
  }
  const certificate = await issueCertificate(pkiOf(lab), await authorityOf(lab), {
    name,
    commonName: `bmc-of-${name}`,
    hosts: [address],
  });
  await startRedfishSimulator({ ...options, certificate, machines: [machine] });
}

/** @throws when the BMC does not run. */
function running(lab: LabIdentity, index: number): ProcessRecord {
  const record = findProcess(lab.folder, processNameOf(lab, index));
  if (record !== undefined && isRunning(record)) return record;
  throw new Error(`The BMC of host-${index} does not run. "./lab up" starts it again.`);
}

/** Not `host-1.bmc`: what is named so dies with the host. */
function processNameOf(lab: LabIdentity, index: number): string {
  return `bmc.${hostIdentityOf(lab, index).name}`;
}

/** Every address of 127.0.0.0/8 is the machine's. The slot and the host's number make it theirs alone. */
function bmcAddressOf({ slot }: LabIdentity, index: number): string {
  return `127.${201 + Math.floor(slot / 256)}.${slot % 256}.${index}`;
}

/** Short, because a socket's path holds at most 107 bytes (unix(7)). In no folder that labs share: one could remove it under another. */
function boardSocketOf({ tag }: LabIdentity): string {
  return `/run/drover-lab-${tag}-bmc.sock`;
}

/** While it exists, the BMC lies. */
function lieOf({ folder }: LabIdentity, index: number): string {
  return join(folder, 'bmc', `host-${index}.lies`);
}

function pkiOf({ folder }: LabIdentity): string {
  return join(folder, 'bmc', 'pki');
}

async function authorityOf(lab: LabIdentity): Promise<KeyPair> {
  return await certificateAuthority(pkiOf(lab), 'drover-lab-bmcs');
}

/** One for all BMCs of the lab, made by whoever asks first. At most the 16 characters that IPMI is sure to take. */
function passwordOf({ folder }: LabIdentity): string {
  const file = join(folder, 'bmc', 'password');
  if (existsSync(file)) return readFileSync(file, 'utf8');
  mkdirSync(join(folder, 'bmc'), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, randomBytes(8).toString('hex'), { mode: 0o600 });
  try {
    // Unlike a rename it fails where another was first.
    linkSync(draft, file);
  } catch (error) {
    if (!existsSync(file)) throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  return readFileSync(file, 'utf8');
}
