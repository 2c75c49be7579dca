import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { certificateAuthority } from '../control-plane/certificates.ts';
import { hostIdentityOf, type LabIdentity } from '../identity.ts';
import { run } from '../run.ts';
import { hostFilesOf } from './host-files.ts';

/**
 * With which certificates do the hosts' libvirtd and QEMU know each other before Drover gives them some?
 *
 * libvirtd does not listen without any. One authority per lab, one certificate per host, where libvirt (remote/tlscerts) and QEMU
 * (system/tls) look for them below /etc/pki.
 */
const PKI_PATH = '/etc/pki';
const AS_SERVER_AND_CLIENT = {
  certificate: ['libvirt/servercert.pem', 'libvirt/clientcert.pem', 'qemu/server-cert.pem', 'qemu/client-cert.pem'],
  key: ['libvirt/private/serverkey.pem', 'libvirt/private/clientkey.pem', 'qemu/server-key.pem', 'qemu/client-key.pem'],
  authority: ['CA/cacert.pem', 'qemu/ca-cert.pem'],
} as const;

/** libvirt 9 wants keyEncipherment wherever a key usage is marked critical, for elliptic keys, too. */
const EXTENSIONS = [
  'basicConstraints=critical,CA:FALSE',
  'keyUsage=critical,digitalSignature,keyEncipherment',
  'extendedKeyUsage=serverAuth,clientAuth',
];
const VALID_DAYS = '365';

/** Makes the host's certificates, or finds them. */
export async function issueHostCertificates(lab: LabIdentity, index: number): Promise<void> {
  const host = hostIdentityOf(lab, index);
  const folder = join(hostFilesOf(lab, index).root, PKI_PATH);
  if (existsSync(join(folder, AS_SERVER_AND_CLIENT.authority[0]))) return;
  const authority = await certificateAuthority(join(lab.folder, 'hosts-pki'), 'drover-lab-hosts');
  const draft = `${folder}.draft`;
  rmSync(draft, { recursive: true, force: true });
  for (const below of ['CA', 'libvirt/private', 'qemu'])
    mkdirSync(join(draft, below), { recursive: true, mode: 0o700 });
  const [certificate, key] = [
    join(draft, AS_SERVER_AND_CLIENT.certificate[0]),
    join(draft, AS_SERVER_AND_CLIENT.key[0]),
  ];
  const extensions = [...EXTENSIONS, `subjectAltName=IP:${host.address},DNS:${host.name}`];
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', VALID_DAYS],
    ...['-CA', authority.certificate, '-CAkey', authority.key, '-subj', `/CN=${host.name}`],
    ...extensions.flatMap((extension) => ['-addext', extension]),
    ...['-keyout', key, '-out', certificate],
  ]);
  for (const name of AS_SERVER_AND_CLIENT.certificate.slice(1)) copyFileSync(certificate, join(draft, name));
  for (const name of AS_SERVER_AND_CLIENT.key.slice(1)) copyFileSync(key, join(draft, name));
  for (const name of AS_SERVER_AND_CLIENT.authority) copyFileSync(authority.certificate, join(draft, name));
  // An empty folder gives way to another one; the host may be up, so that its mount must stay.
  for (const below of ['libvirt', 'qemu', 'CA']) renameSync(join(draft, below), join(folder, below));
  rmSync(draft, { recursive: true });
}
