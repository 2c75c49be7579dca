import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { KeyPair } from '../control-plane/certificates.ts';
import { redfishEmulatorPython } from '../install/redfish-emulator.ts';
import { type ProcessRecord, startProcess } from '../processes.ts';
import { waitUntilReady } from '../ready.ts';
import { run } from '../run.ts';

/** How is a BMC simulator started? Both kinds switch what the power board at `board` has. */
export interface SimulatorOptions {
  /** Of the lab whose process it becomes. */
  readonly labFolder: string;
  /** Of the process; unique in the lab. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  /** Path of the power board's socket. */
  readonly board: string;
}

export interface SimulatedMachine {
  /** By which the power board knows it. */
  readonly name: string;
  readonly uuid: string;
}

export interface RedfishSimulatorOptions extends SimulatorOptions {
  readonly certificate: KeyPair;
  readonly machines: readonly SimulatedMachine[];
  /** Answers 409 to an order that is fulfilled already, as some BMCs do. Default: false. */
  readonly refuseWhatIsDone?: boolean;
}

export interface IpmiSimulatorOptions extends SimulatorOptions {
  readonly machine: SimulatedMachine;
}

const READY_TIMEOUT_MS = 20_000;
const CHASSIS_CONTROL = join(import.meta.dirname, 'chassis-control');
/** HMAC-SHA1 and AES-CBC-128: the best that ipmi_sim has. */
export const IPMI_CIPHER_SUITE = 3;

/** sushy-tools' emulator, over HTTPS with basic authentication. Returns once it answers. */
export async function startRedfishSimulator(options: RedfishSimulatorOptions): Promise<ProcessRecord> {
  const { labFolder, name, address, port, username, password, board, certificate, machines } = options;
  const folder = folderOf(labFolder, name);
  const config = join(folder, 'config.json');
  const { refuseWhatIsDone = false } = options;
  const told = { address, port, username, password, board, machines, ...certificate, refuseWhatIsDone };
  writeFileSync(config, JSON.stringify(told), { mode: 0o600 });
  const record = await startProcess(labFolder, {
    name,
    command: redfishEmulatorPython(),
    args: ['-I', join(import.meta.dirname, 'redfish.py'), config],
    cwd: folder,
  });
  await waitUntilReady(
    record,
    async () =>
      (await accepts(address, port))
        ? { ready: true, value: undefined }
        : { ready: false, because: `nobody listens at ${address}:${port}` },
    { timeoutMs: READY_TIMEOUT_MS },
  );
  return record;
}

/** OpenIPMI's ipmi_sim, IPMI 2.0 over LAN. Returns once it answers. */
export async function startIpmiSimulator(options: IpmiSimulatorOptions): Promise<ProcessRecord> {
  const { labFolder, name, address, port, username, password, board, machine } = options;
  const folder = folderOf(labFolder, name);
  const guid = smbiosOrder(machine.uuid);
  writeFileSync(
    join(folder, 'lan.conf'),
    `name "${name}"
set_working_mc 0x20
startlan 1
  addr ${address} ${port}
  priv_limit admin
  allowed_auths_operator md5
  allowed_auths_admin md5
  guid ${guid}
endlan
chassis_control "${CHASSIS_CONTROL} ${board} ${machine.name}"
user 2 true "${username}" "${password}" admin 10 md5
`,
    { mode: 0o600 },
  );
  writeFileSync(
    join(folder, 'bmc.emu'),
    `mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02
mc_set_guid 0x20 ${guid}
mc_enable 0x20
`,
  );
  const record = await startProcess(labFolder, {
    name,
    command: 'ipmi_sim',
    args: [
      '--config-file',
      'lan.conf',
      '--command-file',
      'bmc.emu',
      '--state-dir',
      'state',
      '--nostdio',
      '--nopersist',
    ],
    cwd: folder,
  });
  await waitUntilReady(
    record,
    async () => {
      try {
        const target = ['-I', 'lanplus', '-H', address, '-p', `${port}`, '-U', username, '-E', '-N', '1', '-R', '1'];
        const question = ['-C', `${IPMI_CIPHER_SUITE}`, 'mc', 'guid'];
        await run('ipmitool', [...target, ...question], { env: { IPMI_PASSWORD: password } });
        return { ready: true, value: undefined };
      } catch (error) {
        return { ready: false, because: String(error) };
      }
    },
    { timeoutMs: READY_TIMEOUT_MS },
  );
  return record;
}

function folderOf(labFolder: string, name: string): string {
  const folder = join(labFolder, 'bmc', name);
  mkdirSync(join(folder, 'state'), { recursive: true, mode: 0o700 });
  return folder;
}

/** As most BMCs send it: the first three parts with their bytes reversed (SMBIOS 7.2.1). */
function smbiosOrder(uuid: string): string {
  const [first = '', second = '', third = '', ...rest] = uuid.split('-');
  const reversed = [first, second, third].map((part) => Buffer.from(part, 'hex').reverse().toString('hex'));
  return [...reversed, ...rest].join('');
}

async function accepts(address: string, port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host: address, port });
  socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  const accepted = await promise;
  socket.destroy();
  return accepted;
}
