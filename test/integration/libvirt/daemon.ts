import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Certificates, makeCertificates } from './certificates.ts';

const START_LIMIT_MS = 30_000;
/** What libvirtd and its QEMUs write outside their configuration; each gets a directory of this daemon's own. */
const PRIVATE_PATHS = ['/run/libvirt', '/var/lib/libvirt', '/var/cache/libvirt', '/var/log/libvirt', '/etc/libvirt'];

/** A libvirtd of the test's own: its files, sockets and domains are apart from every other daemon's on the machine. */
export class TestDaemon {
  readonly root: string;
  readonly socketPath: string;
  readonly tcpPort: number;
  readonly tlsPort: number;
  readonly certificates: Certificates;
  #process: ChildProcess | null = null;

  static async start(): Promise<TestDaemon> {
    const daemon = new TestDaemon(await freePort(), await freePort());
    try {
      await daemon.up();
      return daemon;
    } catch (error) {
      await daemon.stop();
      throw error;
    }
  }

  private constructor(tcpPort: number, tlsPort: number) {
    this.root = mkdtempSync(join(tmpdir(), 'drover-libvirt-'));
    this.tcpPort = tcpPort;
    this.tlsPort = tlsPort;
    this.socketPath = join(this.root, 'run/libvirt/libvirt-sock');
    for (const path of PRIVATE_PATHS) mkdirSync(join(this.root, path), { recursive: true });
    mkdirSync(join(this.root, 'images'));
    this.certificates = makeCertificates(join(this.root, 'pki'));
    this.#configure();
  }

  get imagesPath(): string {
    return join(this.root, 'images');
  }

  get pid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error('libvirtd is not running');
    return pid;
  }

  get log(): string {
    const path = join(this.root, 'libvirtd.log');
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  /** Starts libvirtd, again after `kill`: it finds the domains that live on. */
  async up(): Promise<void> {
    const mounts = PRIVATE_PATHS.map((path) => `mkdir -p ${path} && mount --bind "$0${path}" ${path}`).join(' && ');
    const output = openSync(join(this.root, 'libvirtd.log'), 'a');
    const script = `${mounts} && exec libvirtd --listen --config /etc/libvirt/libvirtd.conf --pid-file "$0/run/libvirtd.pid"`;
    const child = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script, this.root], {
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    this.#process = child;
    await waitFor('libvirtd to listen', START_LIMIT_MS, async () => {
      if (child.exitCode !== null) throw new Error(`libvirtd exited with ${child.exitCode}:\n${this.log.slice(-2000)}`);
      return answers(this.socketPath);
    });
  }

  /** As the kernel's OOM killer would: no chance to say goodbye. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  suspend(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  /** libvirtd, then every QEMU that it left behind. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
    for (const pid of this.qemuPids()) killIfAlive(pid);
    await waitFor('all QEMUs to end', 10_000, async () => this.qemuPids().every((pid) => !isAlive(pid)));
    rmSync(this.root, { recursive: true, force: true });
  }

  qemuPids(): number[] {
    const directory = join(this.root, 'run/libvirt/qemu');
    if (!existsSync(directory)) return [];
    const files = readdirSync(directory).filter((file) => file.endsWith('.pid') && file !== 'driver.pid');
    return files.map((file) => Number(readFileSync(join(directory, file), 'utf8'))).filter((pid) => pid > 1);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGCONT');
    child.kill(signal);
    await exited;
  }

  #configure(): void {
    const { ca, server } = this.certificates;
    const lines = [
      'unix_sock_group = "root"',
      'auth_unix_rw = "none"',
      'listen_addr = "127.0.0.1"',
      'listen_tcp = 1',
      `tcp_port = "${this.tcpPort}"`,
      'auth_tcp = "none"',
      'listen_tls = 1',
      `tls_port = "${this.tlsPort}"`,
      'auth_tls = "none"',
      `ca_file = "${ca.certPath}"`,
      `cert_file = "${server.certPath}"`,
      `key_file = "${server.keyPath}"`,
      `host_uuid = "${randomUUID()}"`,
      `log_outputs = "2:stderr"`,
    ];
    // As root without cgroups, security drivers, private /dev or a log daemon: see 6-testing, "The lab".
    const qemu = [
      'security_driver = "none"',
      'user = "root"',
      'group = "root"',
      'namespaces = []',
      'cgroup_controllers = []',
      'stdio_handler = "file"',
    ];
    const etc = join(this.root, 'etc/libvirt');
    writeFileSync(join(etc, 'libvirtd.conf'), `${lines.join('\n')}\n`);
    writeFileSync(join(etc, 'qemu.conf'), `${qemu.join('\n')}\n`);
  }
}

/** @throws when `condition` is not true within the limit. */
export async function waitFor(what: string, limitMs: number, condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms for ${what}`);
    await delay(20);
  }
}

async function answers(socketPath: string): Promise<boolean> {
  if (!existsSync(socketPath)) return false;
  const { connect } = await import('node:net');
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject).listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).startsWith('Z');
  } catch {
    return false;
  }
}

function killIfAlive(pid: number): void {
  if (isAlive(pid)) process.kill(pid, 'SIGKILL');
}
