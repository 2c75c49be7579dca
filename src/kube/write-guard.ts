/** Consent to writes that may be withdrawn at any time. */
export interface WriteGuard {
  /** Aborted when consent is withdrawn: ends writes under way. */
  readonly signal: AbortSignal;
  /**
   * How long a write that begins now may take, in milliseconds.
   * @param what the write in words, for the message.
   * @throws when there is no consent.
   */
  remainingMs(what: string): number;
}
