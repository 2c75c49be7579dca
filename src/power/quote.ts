/** Longest piece of a device's own words in our messages: they end up in conditions and events. */
const QUOTE_MAX_CHARACTERS = 300;
/** A shorter secret is part of so many words that hiding it would make the message unreadable, and it could not be told from them. */
const SECRET_MIN_CHARACTERS = 3;

/**
 * What a device said, fit for a message: one line, of limited length, and without the secrets, which a device may repeat.
 * @param secrets e.g. the password, and the header that carries it.
 */
export function quote(said: string, secrets: readonly string[]): string {
  const hidden = secrets
    .filter((secret) => secret.length >= SECRET_MIN_CHARACTERS)
    .reduce((text, secret) => text.replaceAll(secret, '[redacted]'), said);
  const line = hidden.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  return line.length > QUOTE_MAX_CHARACTERS ? `${line.slice(0, QUOTE_MAX_CHARACTERS)}...` : line;
}
