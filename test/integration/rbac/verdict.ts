import { KubeError } from '../../../src/kube/index.ts';

/** What became of a call: allowed (whatever the server then thought of its content), or refused and by whom. */
export interface Verdict {
  readonly by: 'nobody' | 'rbac' | 'admission' | 'authentication';
  /** Words of the refusal, or of another failure; empty when the call succeeded. */
  readonly message: string;
}

export async function verdictOf(call: Promise<unknown>): Promise<Verdict> {
  try {
    await call;
    return { by: 'nobody', message: '' };
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    const { message, code } = error;
    if (code === 401) return { by: 'authentication', message };
    if (message.includes('ValidatingAdmissionPolicy')) return { by: 'admission', message };
    return { by: code === 403 ? 'rbac' : 'nobody', message };
  }
}
