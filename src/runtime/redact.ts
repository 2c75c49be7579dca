const HIDDEN = '[redacted]';
/** Field names whose values are secret wherever they stand. */
const SECRET_NAME = /token|passw|secret$|authorization|cookie|private.?key|client.?key|key.?pem|key.?data|user.?data/i;
/** JSON Web Tokens and Authorization headers inside longer text. */
const SECRET_TEXT = /\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+|\b(?<scheme>Bearer|Basic) [\w.~+/=-]{8,}/g;
/** Deeper than any object of the API; ends cycles. */
const MAX_DEPTH = 24;

/** A copy for the log in which nothing secret stands: fields by name, `data` of Secrets. Buffers are never logged. */
export function redactFields(fields: object, depth = 0): Record<string, unknown> {
  const isSecret = 'kind' in fields && fields.kind === 'Secret';
  const hides = (name: string) => SECRET_NAME.test(name) || (isSecret && (name === 'data' || name === 'stringData'));
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, hides(name) && value ? HIDDEN : redactValue(value, depth)]),
  );
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  // Serialized by pino; redactText sees the result.
  if (value instanceof Error || value instanceof Date) return value;
  if (depth >= MAX_DEPTH) return '[too deep]';
  return Array.isArray(value) ? value.map((item) => redactValue(item, depth + 1)) : redactFields(value, depth + 1);
}

/** Hides tokens in text whose parts have no names, such as messages of errors. */
export function redactText(text: string): string {
  return text.replace(SECRET_TEXT, (_match, scheme: string | undefined) => (scheme ? `${scheme} ${HIDDEN}` : HIDDEN));
}
