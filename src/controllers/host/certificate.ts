import { Host } from '../../api/host.ts';
import { type IssuedFacts, renewAtMs } from '../../core/host-certificate.ts';
import type { ObjectKey } from '../../kube/index.ts';
import { issueCertificate, readCertificate, subjectOf } from '../../runtime/authority.ts';
import { Controller, done, type ReconcileContext, type Result, requeueAfter, source } from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { FIELD_MANAGERS } from '../field-managers.ts';
import { writeStatus } from '../write-status.ts';
import { AuthorityKeeper } from './authority.ts';

const CERTIFICATE_DAYS = 90;
/** Longer is no timer. */
const LONGEST_WAIT_MS = 24 * 3_600_000;

/**
 * Issues the certificates by which hosts know each other when VMs move, and renews them. Whose public key it is, is known
 * because only the agent of a host can write that Host's status; the private key never leaves the host.
 */
export function hostCertificateController(deps: ControllerDependencies): Controller {
  const keeper = new AuthorityKeeper(deps.client);
  return new Controller({
    name: 'hostcertificate',
    sources: [source(deps.informers.hosts)],
    reconcile: (key, context) => reconcile(key, context, keeper, deps),
    log: deps.log,
    metrics: deps.metrics,
    clock: deps.clock,
  });
}

async function reconcile(
  key: ObjectKey,
  { signal, clock, log }: ReconcileContext,
  keeper: AuthorityKeeper,
  { informers, client, events }: ControllerDependencies,
): Promise<Result> {
  const host = informers.hosts.get(key);
  const { tlsPublicKey: publicKey, address, tlsCertificate: issued } = host?.status ?? {};
  if (host === undefined || publicKey === undefined || address === undefined) return done;
  // An address is what others reach it by: who could have a certificate for another's could answer in its place.
  const rival = informers.hosts.list().find((other) => other !== host && other.status?.address === address);
  if (rival !== undefined) {
    const note = `it says that its address is ${address}, and so does host ${rival.metadata.name}: neither gets a certificate`;
    events.record({ regarding: host, type: 'Warning', reason: 'AddressConflict', action: 'IssuingCertificate', note });
    return done;
  }
  const now = clock.now();
  const authority = await keeper.current(now, signal);
  const wish = { publicKey, issuer: subjectOf(authority.certificatePem), names: [key, address] };
  const dueMs = issued?.authorities === authority.trusted ? renewAtMs(readIssued(issued.certificate), wish) : 0;
  const leftMs = dueMs - now.getTime();
  if (leftMs > 0) return requeueAfter(Math.min(leftMs, LONGEST_WAIT_MS), 'the certificate is fresh');
  const certificate = await issueCertificate(authority, { ...wish, commonName: key, now, days: CERTIFICATE_DAYS });
  const notAfter = readCertificate(certificate).notAfter.toISOString();
  const tlsCertificate = { certificate, authorities: authority.trusted, notAfter };
  await writeStatus(client, Host, host, { tlsCertificate }, { fieldManager: FIELD_MANAGERS.hostCertificate, signal });
  log.info({ host: key, address, notAfter }, 'issued a certificate');
  return done;
}

/** Undefined: it cannot be read, and is replaced. */
function readIssued(pem: string): IssuedFacts | undefined {
  try {
    return readCertificate(pem);
  } catch {
    return undefined;
  }
}
