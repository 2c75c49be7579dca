/** Names for a sentence: the first few, and how many more there are. */
export function shortList(names: readonly string[], most = 10): string {
  const rest = names.length - most;
  return rest <= 0 ? names.join(', ') : `${names.slice(0, most).join(', ')} and ${rest} more`;
}
