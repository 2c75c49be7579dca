/** Facts of a certificate, as far as its renewal asks. */
export interface IssuedFacts {
  readonly publicKey: string;
  readonly issuer: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly names: readonly string[];
}

export interface CertificateWish {
  readonly publicKey: string;
  /** Subject of the newest authority. */
  readonly issuer: string;
  /** Names and addresses that it is to be good for. */
  readonly names: readonly string[];
}

/**
 * When a host needs another certificate (Unix time, milliseconds): when two thirds of its life are over, as kubelets and
 * cert-manager renew theirs; at once when it is not of this key, these names or the newest authority.
 * @param issued what it has. Undefined: none that can be read.
 */
export function renewAtMs(issued: IssuedFacts | undefined, wish: CertificateWish): number {
  if (issued === undefined) return 0;
  const isOther =
    issued.publicKey !== wish.publicKey ||
    issued.issuer !== wish.issuer ||
    issued.names.toSorted().join() !== wish.names.toSorted().join();
  if (isOther) return 0;
  const [from, to] = [issued.notBefore.getTime(), issued.notAfter.getTime()];
  return from + ((to - from) * 2) / 3;
}
