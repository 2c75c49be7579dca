/** The name in `namespace/name`: for sentences about objects that are all of one namespace, as those of a RuleGroup are. */
export function nameOf(key: string): string {
  return key.slice(key.indexOf('/') + 1);
}
