import type { KubeClient } from './client.ts';
import type { WriteGuard } from './write-guard.ts';

type Calls = Pick<
  KubeClient,
  'get' | 'list' | 'create' | 'update' | 'apply' | 'applyStatus' | 'patch' | 'delete' | 'watch' | 'raw'
>;

/** The API server as its callers see it: {@link KubeClient}, or whatever answers in its place. */
export interface KubeApi extends Calls {
  /** The same calls, of which those that write need the guard's consent. */
  guardedBy(guard: WriteGuard): KubeApi;
}
