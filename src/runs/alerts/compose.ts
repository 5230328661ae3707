import type { FailureGroup } from "./alert.ts";
import { adviceOf } from "./advice.ts";
import type { Alert, MailKind } from "./alert.ts";

/** What a mail tells of. */
export interface Told {
  readonly kind: MailKind;
  readonly workflow: { readonly key: string; readonly name: string };
  /** The alert before the mail: with what it has not told of yet. */
  readonly alert: Alert;
  /** When a run completed since; undefined: none did. */
  readonly workedAt: Date | undefined;
  readonly links: Links;
}

/** What links to runs start with. */
export interface Links {
  /** Of Tandem itself. */
  readonly publicUrl: string;
  /** Of a run in Temporal's Web UI, without the run's id; undefined: where that is, is not known. */
  readonly temporalRuns?: string | undefined;
}

/** Where the API shows a run. */
export function linkToRun({ publicUrl }: Links, runId: string): string {
  return `${publicUrl}/api/runs/${runId}`;
}

/** A mail's subject and text. */
export interface Composed {
  readonly subject: string;
  readonly body: string;
}

/** Writes the mail: which workflow, which run and step, why, and what to do. */
export function compose(told: Told): Composed {
  const { kind, workflow, alert } = told;
  const name = `"${oneLine(workflow.name)}"`;
  const [first] = alert.groups;
  if (kind === "resolved") return { subject: `${name} works again`, body: body([worksAgain(told)]) };
  const where = first?.step == null ? "" : ` at step "${oneLine(first.step)}"`;
  const subject =
    alert.untold === 1 && kind === "first"
      ? `${name} failed${where}: ${first?.code ?? "failed"}`
      : `${name} failed ${alert.untold} times${alert.groups.length === 1 ? `${where}: ${first?.code ?? ""}` : ""}`;
  return { subject: subject.slice(0, 300), body: body(partsOf(told)) };
}

function partsOf(told: Told): string[] {
  const { kind, workflow, alert, workedAt, links } = told;
  const shown = alert.groups.reduce((sum, { count }) => sum + count, 0);
  const head =
    kind === "first"
      ? `The workflow "${workflow.name}" (${workflow.key}) failed.`
      : `The workflow "${workflow.name}" (${workflow.key}) goes on failing: ${alert.failures} times since ${alert.since ?? "it began"}.`;
  return [
    head,
    ...alert.groups.map((group) => describeGroup(group, links)),
    ...(alert.untold > shown ? [`${alert.untold - shown} more failed for other reasons.`] : []),
    ...(alert.note === null ? [] : [alert.note]),
    workedAt === undefined
      ? "Further failures of this workflow are told together, and you hear when it works again."
      : worksAgain(told),
  ];
}

function describeGroup({ step, code, count, runId, message, attempts, failedAt }: FailureGroup, links: Links): string {
  const last = count === 1 ? "" : `${count} times; the last: `;
  const tries = attempts === null ? "" : `, after ${attempts === 1 ? "1 attempt" : `${attempts} attempts`}`;
  return [
    `${step === null ? "The run itself" : `Step "${step}"`}: ${code} (${last}${failedAt}${tries})`,
    `Run: ${runId}`,
    `Reason: ${message}`,
    `What to do: ${adviceOf(code)}`,
    linkToRun(links, runId),
    ...(links.temporalRuns === undefined ? [] : [`${links.temporalRuns}/${runId}`]),
  ].join("\n");
}

function worksAgain({ workflow, alert, workedAt }: Told): string {
  const failed = alert.failures === 1 ? "Once" : `${alert.failures} times`;
  return `The workflow "${workflow.name}" (${workflow.key}) works again: a run completed at ${workedAt?.toISOString() ?? "last"}. ${failed} it had failed since ${alert.since ?? "then"}, last at ${alert.lastFailedAt ?? "then"}.`;
}

function body(parts: readonly string[]): string {
  return `${parts.join("\n\n")}\n`;
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").slice(0, 120);
}
