import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { z } from 'zod';
import type { KubeApi } from './api.ts';
import type { KubeObject, ObjectRef } from './object.ts';

const POD_NAME = 'authentication.kubernetes.io/pod-name';
const POD_UID = 'authentication.kubernetes.io/pod-uid';

const selfSchema = z.object({
  status: z.object({ userInfo: z.object({ extra: z.record(z.string(), z.array(z.string())).optional() }) }),
});

/**
 * Who this process is as a candidate: `<pod name>_<pod uid>` as the API server reads it from the pod's token, which is
 * what the fence compares; outside of a pod, the machine's name and a random part.
 */
export async function leaderIdentity(client: KubeApi): Promise<string> {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
  const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
  const { extra = {} } = selfSchema.parse(await client.raw({ method: 'POST', path, body })).status.userInfo;
  const [podName] = extra[POD_NAME] ?? [];
  const [podUid] = extra[POD_UID] ?? [];
  return podName && podUid ? `${podName}_${podUid}` : `${hostname()}_${randomUUID()}`;
}

export interface LeaderFenceOptions {
  /** Name of the policy and its binding. */
  name: string;
  lease: Required<ObjectRef>;
  /** The operator's user, e.g. `system:serviceaccount:drover-system:drover-operator`. */
  username: string;
  /** API groups whose writes need leadership, e.g. `drover.dev`. Must not hold the lease's own group. */
  apiGroups: readonly string[];
}

/**
 * The server's half of the fence: a ValidatingAdmissionPolicy and its binding that refuse every write of the operator's
 * user unless the pod in its token holds the lease. No clock of the writer takes part, so it also stops a leader that
 * was frozen between its last check and the write. Argument: docs/adr/0004-kube-transport.md, "Fencing".
 */
export function leaderFencePolicy(options: LeaderFenceOptions): [policy: KubeObject, binding: KubeObject] {
  const { name, lease, username, apiGroups } = options;
  const writer =
    `'${POD_NAME}' in request.userInfo.extra && '${POD_UID}' in request.userInfo.extra ? ` +
    `request.userInfo.extra['${POD_NAME}'][0] + '_' + request.userInfo.extra['${POD_UID}'][0] : 'a client without pod'`;
  const apiVersion = 'admissionregistration.k8s.io/v1';
  const policy = {
    apiVersion,
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name },
    spec: {
      failurePolicy: 'Fail',
      paramKind: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' },
      matchConstraints: {
        resourceRules: [
          { apiGroups, apiVersions: ['*'], operations: ['CREATE', 'UPDATE', 'DELETE'], resources: ['*/*'] },
        ],
      },
      matchConditions: [{ name: 'is-the-operator', expression: `request.userInfo.username == ${celString(username)}` }],
      variables: [
        { name: 'writer', expression: writer },
        { name: 'holder', expression: `params.spec.?holderIdentity.orValue('')` },
      ],
      validations: [
        {
          expression: 'variables.writer == variables.holder',
          messageExpression:
            `'only the leader may write: the lease ${lease.namespace}/${lease.name} is held by "' + ` +
            `variables.holder + '", not by "' + variables.writer + '"'`,
          reason: 'Forbidden',
        },
      ],
    },
  };
  const binding = {
    apiVersion,
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name },
    spec: {
      policyName: name,
      // Parameters are looked for before the policy's conditions: with Deny, everybody's writes would be refused until an
      // operator has made the lease, which is the first thing that it writes.
      paramRef: { name: lease.name, namespace: lease.namespace, parameterNotFoundAction: 'Allow' },
      validationActions: ['Deny'],
    },
  };
  return [policy, binding];
}

/** CEL takes JSON's escapes. */
function celString(value: string): string {
  return JSON.stringify(value);
}
