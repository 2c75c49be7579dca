/** How the members of a group and the hosts are related. Source: vSphere's VM-Host rules, FusionCompute's rule groups. */
export type HostRelation = 'MustRunOn' | 'ShouldRunOn' | 'MustNotRunOn' | 'ShouldNotRunOn';

interface Common {
  /** `namespace/name`. */
  readonly name: string;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  /** Required: never broken by a decision. Preferred: kept where something fits. */
  readonly isRequired: boolean;
  /** VMs, as `namespace/name`. */
  readonly members: ReadonlySet<string>;
}

/** A RuleGroup with its selectors resolved, as decisions see it. */
export type RuleGroupModel =
  | (Common & { readonly type: 'KeepTogether' })
  | (Common & { readonly type: 'Separate' })
  | (Common & {
      readonly type: 'VMsToHosts';
      /** Whether members belong on these hosts, or off them. */
      readonly isOn: boolean;
      /** Hosts by name. */
      readonly hosts: ReadonlySet<string>;
    });
