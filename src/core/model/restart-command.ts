/** What somebody types to have a VM restarted. */
export function restartCommand({
  namespace,
  name,
}: {
  readonly namespace?: string | undefined;
  readonly name: string;
}): string {
  return `kubectl annotate vm -n ${namespace} ${name} --overwrite drover.dev/restartedAt="$(date -Is)"`;
}
