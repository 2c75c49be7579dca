import { SYSTEM_NAMESPACE } from '../../api/common/names.ts';
import { OPERATOR_CLIENT_CERTIFICATE_KEY, OPERATOR_CLIENT_CONFIG_MAP } from '../../api/usage.ts';
import { type InformerOptions, type KindRef, type KubeObject, SharedInformer } from '../../kube/index.ts';

/** v1 ConfigMap. */
export interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

const configMapKind: KindRef<ConfigMap> = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
};

/** The one ConfigMap in which the operator publishes its client certificate. */
export function operatorCertificateInformer(
  options: Pick<InformerOptions<ConfigMap>, 'client' | 'onError' | 'clock'>,
): SharedInformer<ConfigMap> {
  return new SharedInformer<ConfigMap>({
    ...options,
    kind: configMapKind,
    namespace: SYSTEM_NAMESPACE,
    fieldSelector: `metadata.name=${OPERATOR_CLIENT_CONFIG_MAP}`,
  });
}

/** The certificate (PEM) as it is published now. Undefined: none is. */
export function publishedCertificate(informer: SharedInformer<ConfigMap>): string | undefined {
  return informer.get(`${SYSTEM_NAMESPACE}/${OPERATOR_CLIENT_CONFIG_MAP}`)?.data?.[OPERATOR_CLIENT_CERTIFICATE_KEY];
}
