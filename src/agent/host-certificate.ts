import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Host, HostStatus } from '../api/host.ts';
import { isSystemError, runTool, writeFileDurably } from '../host/index.ts';
import type { SharedInformer } from '../kube/index.ts';
import { newTlsKey, readCertificate, subjectOf } from '../runtime/authority.ts';
import type { Clock, Timer } from '../runtime/index.ts';
import { Repeat } from './repeat.ts';

/**
 * Where libvirt (remote/tlscerts) and QEMU (system/tls) look for them, as server and as client, below /etc/pki. libvirtd can be set
 * to other places, but when it is told to read them anew it looks in these alone (libvirt 9, virNetServerUpdateTlsFiles).
 */
const AUTHORITY_FILES = ['CA/cacert.pem', 'qemu/ca-cert.pem'];
const CERTIFICATE_FILES = [
  'libvirt/servercert.pem',
  'libvirt/clientcert.pem',
  'qemu/server-cert.pem',
  'qemu/client-cert.pem',
];
const KEY_FILES = [
  'libvirt/private/serverkey.pem',
  'libvirt/private/clientkey.pem',
  'qemu/server-key.pem',
  'qemu/client-key.pem',
];
/** How the subjects of authorities begin whose certificates may be replaced. */
const OWN_AUTHORITY = /\bCN=drover-/;
const INTERVAL_MS = 60_000;
const RETRY_MS = 5_000;
const RELOAD_TIMEOUT_MS = 10_000;

export interface HostCertificateOptions {
  readonly host: string;
  /** Hosts; only the one of this name is read. */
  readonly hosts: SharedInformer<Host>;
  readonly stateDirectory: string;
  /** Folder below which libvirt and QEMU look for certificates: /etc/pki. */
  readonly pkiDirectory: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What Host.status says of the certificate. */
export interface CertificateReport {
  readonly tlsPublicKey: string;
  readonly ready: { readonly ok: boolean; readonly reason: string; readonly message: string };
}

export interface HostCertificate {
  run(signal: AbortSignal): Promise<void>;
  report(): CertificateReport;
  onChange(listener: () => void): () => void;
}

/**
 * By what other hosts know this one: a key that stays here, and the certificate that the operator issues for it. Both are put
 * where libvirt and QEMU look for them, and the daemon is told; QEMU reads them at each migration.
 * @throws Error when the key can be neither read nor made.
 */
export async function hostCertificate(options: HostCertificateOptions): Promise<HostCertificate> {
  const { hosts, host, clock, log, pkiDirectory } = options;
  const key = await tlsKeyIn(options.stateDirectory);
  const listeners = new Set<() => void>();
  let retry: Timer | undefined;
  let ready: CertificateReport['ready'] = {
    ok: false,
    reason: 'CertificatePending',
    message: 'the operator has issued no certificate yet',
  };
  const show = (now: CertificateReport['ready']) => {
    if (now.ok === ready.ok && now.message === ready.message) return;
    ready = now;
    for (const listener of listeners) listener();
  };
  const repeat = new Repeat({
    intervalMs: INTERVAL_MS,
    clock,
    pass: async (signal) => {
      await hosts.synced(signal);
      const issued = hosts.get(host)?.status?.tlsCertificate;
      if (issued === undefined || readCertificate(issued.certificate).publicKey !== key.publicKey) return;
      const foreign = await foreignAuthority(pkiDirectory);
      if (foreign !== undefined) {
        show({
          ok: true,
          reason: 'OwnCertificates',
          message: `it has certificates of ${foreign}, which are left alone`,
        });
        return;
      }
      if (await install(pkiDirectory, issued, key.privateKeyPem))
        log.info({ notAfter: issued.notAfter }, 'installed a certificate');
      // Also when nothing was new: an agent that died in between has not told the daemon.
      if (!ready.ok || ready.message !== messageOf(issued)) await reload(signal);
      show({ ok: true, reason: 'CertificateInstalled', message: messageOf(issued) });
    },
    onError: (error) => {
      const why = error instanceof Error ? error.message : String(error);
      log.warn({ err: error }, 'cannot install the certificate of the host; trying again');
      show({
        ok: false,
        reason: 'CertificateNotInstalled',
        message: `${why}. See libvirtd of the host, and ${pkiDirectory}`,
      });
      retry?.cancel();
      retry = clock.setTimeout(() => repeat.wake(), RETRY_MS);
    },
  });
  return {
    report: () => ({ tlsPublicKey: key.publicKey, ready }),
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    run: async (signal) => {
      const end = hosts.onChange(({ key: name }) => name === host && repeat.wake());
      await repeat.run(signal);
      end();
    },
  };
}

function messageOf({ notAfter }: NonNullable<HostStatus['tlsCertificate']>): string {
  return `its certificate is good until ${notAfter}`;
}

async function tlsKeyIn(stateDirectory: string): Promise<{ privateKeyPem: string; publicKey: string }> {
  const [privatePath, publicPath] = [join(stateDirectory, 'tls.key'), join(stateDirectory, 'tls.pub')];
  try {
    return {
      privateKeyPem: await readFile(privatePath, 'utf8'),
      publicKey: (await readFile(publicPath, 'utf8')).trim(),
    };
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error;
  }
  const key = await newTlsKey();
  await mkdir(stateDirectory, { recursive: true, mode: 0o711 });
  // The private half first: without the public one both are made anew.
  await writeFileDurably(privatePath, key.privateKeyPem, 0o600);
  await writeFileDurably(publicPath, `${key.publicKey}\n`, 0o644);
  return key;
}

/** Subject of the authority that somebody else has put there. Undefined: there is none, or it is Drover's. */
async function foreignAuthority(directory: string): Promise<string | undefined> {
  const path = join(directory, AUTHORITY_FILES[0] ?? '');
  let subject: string;
  try {
    subject = subjectOf(await readFile(path, 'utf8'));
  } catch (cause) {
    if (isSystemError(cause, 'ENOENT')) return undefined;
    // Whose it is nobody can tell: it is neither replaced nor relied upon.
    throw new Error(`${path} holds no certificate that can be read; remove it, or put yours in its place`, { cause });
  }
  return OWN_AUTHORITY.test(subject) ? undefined : subject;
}

/** @returns whether anything was new */
async function install(
  directory: string,
  { certificate, authorities }: NonNullable<HostStatus['tlsCertificate']>,
  privateKeyPem: string,
): Promise<boolean> {
  for (const folder of ['CA', 'libvirt', 'qemu'])
    await mkdir(join(directory, folder), { recursive: true, mode: 0o755 });
  await mkdir(join(directory, 'libvirt', 'private'), { recursive: true, mode: 0o750 });
  let isNew = false;
  const put = async (names: readonly string[], content: string, mode: number) => {
    for (const name of names) {
      const path = join(directory, name);
      if ((await readFile(path, 'utf8').catch(() => undefined)) === content) continue;
      await writeFileDurably(path, content, mode);
      isNew = true;
    }
  };
  await put(AUTHORITY_FILES, authorities, 0o644);
  await put(KEY_FILES, privateKeyPem, 0o600);
  await put(CERTIFICATE_FILES, certificate, 0o644);
  return isNew;
}

/** libvirtd reads its files when it starts, and when it is told; connections that are open stay. */
async function reload(signal: AbortSignal): Promise<void> {
  await runTool({
    command: 'virt-admin',
    args: ['server-update-tls', 'libvirtd'],
    timeoutMs: RELOAD_TIMEOUT_MS,
    signal,
  });
}
