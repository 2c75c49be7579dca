import { copyFileSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { certificateAuthority } from '../control-plane/certificates.ts';
import { hostIdentityOf, type LabIdentity } from '../identity.ts';
import { run } from '../run.ts';
import { hostFilesOf } from './host-files.ts';
import { PKI_PATH } from './libvirt-config.ts';

/**
 * With which certificates do the hosts' libvirtd and QEMU know each other?
 *
 * One authority per lab, one certificate per host, under the file names that libvirt (remote/tlscerts) and QEMU
 * (system/tls) look for in one folder.
 */
const AS_SERVER_AND_CLIENT = {
  certificate: ['servercert.pem', 'clientcert.pem', 'server-cert.pem', 'client-cert.pem'],
  key: ['serverkey.pem', 'clientkey.pem', 'server-key.pem', 'client-key.pem'],
  authority: ['cacert.pem', 'ca-cert.pem'],
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
  if (existsSync(folder)) return;
  const authority = await certificateAuthority(join(lab.folder, 'hosts-pki'), 'drover-lab-hosts');
  const draft = `${folder}.draft`;
  mkdirSync(draft, { recursive: true, mode: 0o700 });
  const [certificate, key] = [join(draft, 'servercert.pem'), join(draft, 'serverkey.pem')];
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
  renameSync(draft, folder);
}
