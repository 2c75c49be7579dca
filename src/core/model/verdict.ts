/** The answer to a question of yes or no, with the reason for no: CamelCase for programs, a sentence for people. */
export type Verdict = { readonly ok: true } | { readonly ok: false; readonly reason: string; readonly message: string };

export const YES: Verdict = { ok: true };

export function no(reason: string, message: string): Verdict {
  return { ok: false, reason, message };
}
