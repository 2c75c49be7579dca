import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { OPERATOR_LEASE } from '../../../src/controllers/operator.ts';
import { leaderFencePolicy } from '../../../src/kube/index.ts';

const FILE = join(import.meta.dirname, '../../../deploy/42-admission-leader.yaml');

/** Expressions mean the same however they are laid out. */
function withoutLayout(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll(/\s+/g, ' '));
}

it('deploys the fence that src/kube describes, for the lease that the operator takes', () => {
  const [policy, binding] = parseAllDocuments(readFileSync(FILE, 'utf8')).map((document) => document.toJS());
  const [wanted, wantedBinding] = leaderFencePolicy({
    name: 'drover-leader',
    lease: OPERATOR_LEASE,
    username: 'system:serviceaccount:drover-system:drover-operator',
    apiGroups: ['drover.dev'],
  });
  expect(withoutLayout(policy.spec)).toEqual(withoutLayout(wanted.spec));
  expect(binding.spec).toEqual(wantedBinding.spec);
});
