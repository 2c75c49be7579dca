import {
  applyIfChanged,
  type KubeClient,
  keepManagedFieldsOf,
  type LeaderElectionOptions,
  refOfKey,
  SharedInformer,
} from '../../../src/kube/index.ts';
import {
  Controller,
  createLogger,
  done,
  Manager,
  type ManagerOptions,
  type Metrics,
  type ReconcileContext,
  source,
} from '../../../src/runtime/index.ts';
import { type ConfigMap, configMapKind } from '../kube/objects.ts';

const FIELD_MANAGER = 'drover-copier';

export interface CopierOptions {
  client: KubeClient;
  metrics: Metrics;
  namespace: string;
  leaderElection?: LeaderElectionOptions;
  http?: { host: string; port: number };
  drainTimeoutMs?: number;
  /** Runs inside each pass, before it writes. */
  beforeWrite?: (key: string, context: ReconcileContext) => Promise<void>;
}

/** The smallest real operator: for each ConfigMap labelled `copy=yes` it keeps another one, `<name>-copy`, equal. */
export function copier({ client, metrics, namespace, beforeWrite, ...rest }: CopierOptions): Manager {
  const log = createLogger({ name: 'copier', level: process.env['DROVER_LOG_LEVEL'] ?? 'silent' });
  const originals = new SharedInformer<ConfigMap>({
    client,
    kind: configMapKind,
    namespace,
    labelSelector: 'copy=yes',
  });
  const copies = new SharedInformer<ConfigMap>({
    client,
    kind: configMapKind,
    namespace,
    labelSelector: 'copy=is',
    transform: keepManagedFieldsOf(FIELD_MANAGER),
  });
  const controllers: ManagerOptions['controllers'] = (leadership) => {
    const writer = leadership ? client.guardedBy(leadership) : client;
    return [
      new Controller({
        name: 'copier',
        sources: [source(originals), source(copies, ({ key }) => [key.replace(/-copy$/, '')])],
        log,
        metrics,
        reconcile: async (key, context) => {
          const original = originals.get(key);
          if (!original) return done;
          await beforeWrite?.(key, context);
          const name = `${original.metadata.name}-copy`;
          const wanted: ConfigMap = {
            apiVersion: 'v1',
            kind: 'ConfigMap',
            metadata: { ...refOfKey(key), name, labels: { copy: 'is' } },
            data: original.data ?? {},
          };
          await applyIfChanged(writer, configMapKind, wanted, copies.find({ namespace, name }), {
            fieldManager: FIELD_MANAGER,
            signal: context.signal,
          });
          return done;
        },
      }),
    ];
  };
  return new Manager({ log, metrics, informers: [originals, copies], controllers, ...rest });
}
