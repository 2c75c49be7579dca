import { SYSTEM_NAMESPACE } from '../../api/common/names.ts';
import { OPERATOR_CLIENT_CERTIFICATE_KEY, OPERATOR_CLIENT_CONFIG_MAP } from '../../api/usage.ts';
import type { KindRef, KubeApi, KubeObject } from '../../kube/index.ts';
import { type Certificate, selfSignedCertificate } from '../../runtime/certificate.ts';
import type { Clock } from '../../runtime/index.ts';
import { FIELD_MANAGERS } from '../field-managers.ts';

const CONFIG_MAP: KindRef<KubeObject> = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
};
/** The key lives as long as this leadership: the next leader publishes its own. */
const CERTIFICATE_DAYS = 3650;

/** By what agents know the operator: a key that stays in this process, and a certificate that it publishes. */
export class ClientIdentity {
  readonly #client: KubeApi;
  readonly #clock: Clock;
  #certificate: Promise<Certificate> | undefined;
  #isPublished = false;

  /** @param client fenced: an operator that has lost the lead must not publish */
  constructor(client: KubeApi, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Agents turned the certificate down: perhaps somebody has changed or deleted the ConfigMap. */
  doubt(): void {
    this.#isPublished = false;
  }

  /** @throws KubeError when it cannot be published. */
  async published(signal: AbortSignal): Promise<Certificate> {
    this.#certificate ??= selfSignedCertificate({
      commonName: 'drover-operator',
      now: this.#clock.now(),
      days: CERTIFICATE_DAYS,
    });
    const certificate = await this.#certificate;
    if (!this.#isPublished) {
      const metadata = { namespace: SYSTEM_NAMESPACE, name: OPERATOR_CLIENT_CONFIG_MAP };
      const data = { [OPERATOR_CLIENT_CERTIFICATE_KEY]: certificate.certificatePem };
      const configMap: KubeObject & { data: Record<string, string> } = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata,
        data,
      };
      // Whatever stands there is of an earlier leader.
      await this.#client.apply(CONFIG_MAP, configMap, { fieldManager: FIELD_MANAGERS.usage, force: true, signal });
      this.#isPublished = true;
    }
    return certificate;
  }
}
