import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificate {
  readonly certPath: string;
  readonly keyPath: string;
  readonly cert: string;
  readonly key: string;
}

export interface Certificates {
  readonly ca: Certificate;
  readonly server: Certificate;
  readonly client: Certificate;
  /** Signed by another authority, which the daemon does not know. */
  readonly stranger: Certificate;
  readonly strangerCa: Certificate;
}

/** Authorities and certificates for one test daemon, valid for a day. */
export function makeCertificates(directory: string): Certificates {
  mkdirSync(directory, { recursive: true });
  const ca = authority(directory, 'ca');
  const strangerCa = authority(directory, 'stranger-ca');
  return {
    ca,
    strangerCa,
    server: signed(directory, 'server', ca, 'extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1'),
    client: signed(directory, 'client', ca, 'extendedKeyUsage=clientAuth'),
    stranger: signed(directory, 'stranger', strangerCa, 'extendedKeyUsage=clientAuth'),
  };
}

function authority(directory: string, name: string): Certificate {
  const paths = pathsOf(directory, name);
  openssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '1',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    paths.keyPath,
    '-out',
    paths.certPath,
  );
  return read(paths);
}

function signed(directory: string, name: string, ca: Certificate, extensions: string): Certificate {
  const paths = pathsOf(directory, name);
  const request = join(directory, `${name}.csr`);
  const extensionFile = join(directory, `${name}.ext`);
  writeFileSync(extensionFile, `${extensions}\n`);
  openssl(
    'req',
    '-new',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    paths.keyPath,
    '-out',
    request,
  );
  openssl(
    'x509',
    '-req',
    '-in',
    request,
    '-CA',
    ca.certPath,
    '-CAkey',
    ca.keyPath,
    '-CAcreateserial',
    '-days',
    '1',
    '-extfile',
    extensionFile,
    '-out',
    paths.certPath,
  );
  return read(paths);
}

function pathsOf(directory: string, name: string) {
  return { certPath: join(directory, `${name}.pem`), keyPath: join(directory, `${name}-key.pem`) };
}

function read(paths: { certPath: string; keyPath: string }): Certificate {
  return { ...paths, cert: readFileSync(paths.certPath, 'utf8'), key: readFileSync(paths.keyPath, 'utf8') };
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}
