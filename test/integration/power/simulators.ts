import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PowerBoard, type SwitchedMachine } from '../../lab/bmc/power-board.ts';
import { certificateAuthority, issueCertificate, type KeyPair } from '../../lab/control-plane/certificates.ts';
import { stopAllProcesses } from '../../lab/processes.ts';

export const USERNAME = 'drover';
/** The longest that IPMI 1.5 takes: one password for both kinds. */
export const PASSWORD = 'correct-horse-16';

/** Machines that a test file's simulators switch, and what it needs to start simulators. */
export interface Rack {
  readonly folder: string;
  /** Path of the power board's socket. */
  readonly board: string;
  readonly machines: ReadonlyMap<string, TestMachine>;
  readonly authority: { pem: string };
  readonly certificate: KeyPair;
  remove(): Promise<void>;
}

/** Has power or not, nothing else. */
export class TestMachine implements SwitchedMachine {
  readonly orders: string[] = [];
  power = true;
  /** Takes orders and does nothing. */
  isStuck = false;

  hasPower(): boolean {
    return this.power;
  }

  async switchOff(): Promise<void> {
    this.orders.push('off');
    if (!this.isStuck) this.power = false;
  }

  async switchOn(): Promise<void> {
    this.orders.push('on');
    this.power = true;
  }
}

export async function startRack(...names: string[]): Promise<Rack> {
  const folder = mkdtempSync(join(tmpdir(), 'drover-power-'));
  const machines = new Map(names.map((name) => [name, new TestMachine()]));
  const board = new PowerBoard(
    (name) => machines.get(name),
    () => undefined,
  );
  const socket = join(folder, 'board.sock');
  await board.listen(socket);
  const authority = await certificateAuthority(join(folder, 'pki'), 'power-test');
  const certificate = await issueCertificate(join(folder, 'pki'), authority, {
    name: 'bmc',
    commonName: 'bmc',
    hosts: ['127.0.0.1'],
  });
  return {
    folder,
    board: socket,
    machines,
    authority: { pem: readFileSync(authority.certificate, 'utf8') },
    certificate,
    async remove() {
      await stopAllProcesses(folder, { graceMs: 0 });
      await board.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A TCP port of the loopback address that nobody uses now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  if (typeof address !== 'object' || address === null) throw new Error('A TCP server has a port.');
  return address.port;
}
