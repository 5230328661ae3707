/** The id of a workflow's launcher in Temporal: readable, and of this installation and workspace only. */
export function launcherIdOf(of: { installation: string; workspaceId: string; workflowKey: string }): string {
  return `${of.installation}-launch-${of.workspaceId.slice(-12)}-${of.workflowKey}`;
}
