import { SYSTEM_NAMESPACE } from '../../api/common/names.ts';
import { type KindRef, type KubeApi, KubeError, type KubeObject } from '../../kube/index.ts';
import { newAuthority, readCertificate } from '../../runtime/authority.ts';
import type { Certificate } from '../../runtime/certificate.ts';

/** Where the authority of the hosts is kept. */
export const AUTHORITY_SECRET = 'drover-host-authority';

interface Secret extends KubeObject {
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
}

const SECRET: KindRef<Secret> = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
const AUTHORITY_DAYS = 3650;
/** Before its end another one takes its place; certificates of both are trusted then. */
const REPLACED_BEFORE_MS = 365 * 24 * 3_600_000;
/** How long what was read is believed: a Secret that was deleted to have another authority is noticed. */
const READ_EVERY_MS = 600_000;

export interface Authority extends Certificate {
  /** Certificates (PEM) of all that hosts are to trust, the newest first. */
  readonly trusted: string;
}

/** The authority that signs the hosts' certificates: made when there is none, replaced before it ends. */
export class AuthorityKeeper {
  readonly #client: KubeApi;
  #known: { readonly authority: Authority; readonly readAtMs: number } | undefined;

  /** @param client fenced: an operator that has lost the lead must not write */
  constructor(client: KubeApi) {
    this.#client = client;
  }

  /** @throws KubeError when the Secret can neither be read nor written; Error when it holds no authority. */
  async current(now: Date, signal: AbortSignal): Promise<Authority> {
    const known = this.#known;
    if (known !== undefined && now.getTime() - known.readAtMs < READ_EVERY_MS) return known.authority;
    const authority = await this.#readOrMake(now, signal);
    this.#known = { authority, readAtMs: now.getTime() };
    return authority;
  }

  async #readOrMake(now: Date, signal: AbortSignal): Promise<Authority> {
    const stored = await this.#read(signal);
    const authority = stored && authorityIn(stored);
    if (stored === undefined || authority === undefined) {
      const made = await newAuthority('drover-hosts', now, AUTHORITY_DAYS);
      await this.#client.create(SECRET, secretOf(made, ''), { signal });
      return { ...made, trusted: made.certificatePem };
    }
    const endsInMs = readCertificate(authority.certificatePem).notAfter.getTime() - now.getTime();
    if (endsInMs > REPLACED_BEFORE_MS) return authority;
    const next = await newAuthority('drover-hosts', now, AUTHORITY_DAYS);
    const { resourceVersion, uid } = stored.metadata;
    const secret = secretOf(next, authority.certificatePem);
    const metadata = { ...secret.metadata, resourceVersion, uid };
    await this.#client.update(SECRET, { ...secret, metadata }, { signal });
    return { ...next, trusted: next.certificatePem + authority.certificatePem };
  }

  async #read(signal: AbortSignal): Promise<Secret | undefined> {
    try {
      return await this.#client.get(SECRET, { namespace: SYSTEM_NAMESPACE, name: AUTHORITY_SECRET }, { signal });
    } catch (error) {
      if (error instanceof KubeError && error.isNotFound()) return undefined;
      throw error;
    }
  }
}

function authorityIn({ data }: Secret): Authority {
  const text = (name: string) => Buffer.from(data?.[name] ?? '', 'base64').toString('utf8');
  const certificatePem = text('tls.crt');
  const privateKeyPem = text('tls.key');
  if (certificatePem === '' || privateKeyPem === '') {
    throw new Error(
      `Secret ${SYSTEM_NAMESPACE}/${AUTHORITY_SECRET} holds no tls.crt and tls.key; delete it, and another authority is made`,
    );
  }
  return { certificatePem, privateKeyPem, trusted: certificatePem + text('previous.crt') };
}

function secretOf({ certificatePem, privateKeyPem }: Certificate, previous: string): Secret {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace: SYSTEM_NAMESPACE, name: AUTHORITY_SECRET },
    type: 'kubernetes.io/tls',
    data: {
      'tls.crt': base64(certificatePem),
      'tls.key': base64(privateKeyPem),
      ...(previous !== '' && { 'previous.crt': base64(previous) }),
    },
  };
}
