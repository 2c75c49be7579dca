import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { withLock } from '../lock.ts';

const run = promisify(execFile);

/** A certificate and its private key, PEM files that only their owner can read. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateRequest {
  /** File name without extension. */
  readonly name: string;
  /** To Kubernetes the user's name. */
  readonly commonName: string;
  /** To Kubernetes the user's group. */
  readonly organization?: string;
  /** Host names and IPv4 addresses that a server answers to. */
  readonly hosts?: readonly string[];
}

/** Long enough for a lab that is left running; it can do nothing outside the lab. */
const VALID_DAYS = '365';
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** Makes a certificate authority in the folder, or finds the one that is there. */
export async function certificateAuthority(folder: string, name: string): Promise<KeyPair> {
  const constraints = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign,digitalSignature'];
  return await keyPair(folder, name, `/CN=${name}`, constraints, []);
}

/** Makes a certificate signed by the authority, good for servers and clients, or finds the one that is there. */
export async function issueCertificate(
  folder: string,
  authority: KeyPair,
  { name, commonName, organization, hosts = [] }: CertificateRequest,
): Promise<KeyPair> {
  const subject = `${organization === undefined ? '' : `/O=${organization}`}/CN=${commonName}`;
  const extensions = ['keyUsage=critical,digitalSignature', 'extendedKeyUsage=serverAuth,clientAuth'];
  if (hosts.length > 0) {
    const names = hosts.map((host) => `${isIPv4(host) ? 'IP' : 'DNS'}:${host}`);
    extensions.push(`subjectAltName=${names.join(',')}`);
  }
  return await keyPair(folder, name, subject, extensions, ['-CA', authority.certificate, '-CAkey', authority.key]);
}

/** Makes the key that signs service-account tokens: a bare key pair, no certificate. */
export function serviceAccountKey(folder: string): { readonly privateKey: string; readonly publicKey: string } {
  const files = { privateKey: join(folder, 'service-account.key'), publicKey: join(folder, 'service-account.pub') };
  if (existsSync(files.privateKey) && existsSync(files.publicKey)) return files;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  writeFileSync(files.publicKey, publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(files.privateKey, privateKey.export({ type: 'sec1', format: 'pem' }), { mode: 0o600 });
  return files;
}

async function keyPair(
  folder: string,
  name: string,
  subject: string,
  extensions: readonly string[],
  signer: readonly string[],
): Promise<KeyPair> {
  const pair: KeyPair = { certificate: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
  if (existsSync(pair.certificate)) return pair;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // Two makers at once would leave one's certificate and the other's key.
  await withLock(join(folder, 'lock'), ignore, async () => {
    if (!existsSync(pair.certificate)) await make(pair, subject, extensions, signer);
  });
  return pair;
}

/** The certificate appears last and by rename: a half-made pair is made again. */
async function make(
  pair: KeyPair,
  subject: string,
  extensions: readonly string[],
  signer: readonly string[],
): Promise<void> {
  const draft = `${pair.certificate}.draft`;
  const wanted = extensions.flatMap((extension) => ['-addext', extension]);
  const output = ['-keyout', pair.key, '-out', draft];
  try {
    await run('openssl', [
      'req',
      '-x509',
      ...NEW_KEY,
      '-days',
      VALID_DAYS,
      '-subj',
      subject,
      ...wanted,
      ...signer,
      ...output,
    ]);
  } catch (error) {
    throw new Error(
      `Cannot make the certificate ${pair.certificate} with openssl. Is the Debian package "openssl" installed?`,
      { cause: error },
    );
  }
  chmodSync(pair.key, 0o600);
  renameSync(draft, pair.certificate);
}

function ignore(): void {}
