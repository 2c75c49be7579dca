import { stringify } from 'yaml';

/**
 * YAML that means the same to readers of version 1.1, as kubectl is, and of 1.2: in 1.1 a bare `Off` or `yes` is a
 * boolean, so they are quoted.
 */
export function yamlOf(value: unknown): string {
  return stringify(value, { version: '1.1', lineWidth: 120, aliasDuplicateObjects: false });
}
