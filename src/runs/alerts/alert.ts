/** A run that failed, as alerts tell of it. */
export interface Failure {
  readonly runId: string;
  /** Name of the step; null: the run failed outside its steps. */
  readonly step: string | null;
  readonly code: string;
  readonly message: string;
  readonly attempts: number | null;
  readonly failedAt: Date;
}

/** Failures of the same step for the same reason. */
export interface FailureGroup {
  readonly step: string | null;
  readonly code: string;
  readonly count: number;
  /** Of the last of them. */
  readonly runId: string;
  readonly message: string;
  readonly attempts: number | null;
  readonly failedAt: string;
}

/** How a workflow that failed stands. Moments are ISO 8601. */
export interface Alert {
  /** It failed, and has not worked again since. */
  readonly open: boolean;
  /** The first failure since it last worked. */
  readonly since: string | null;
  readonly failures: number;
  readonly lastFailedAt: string | null;
  /** What no mail has told of yet; of many different failures the first twenty. */
  readonly untold: number;
  readonly groups: readonly FailureGroup[];
  /** Whom the workflow wants told, as it last failed; null: whom the workspace names. */
  readonly notify: readonly string[] | null;
  /** What is to be said besides, such as that a workflow could not be started. */
  readonly note: string | null;
  /** When a mail last told of failures, of this time or of one before. */
  readonly mailedAt: string | null;
  /** Whether a mail told of this time. */
  readonly told: boolean;
}

/** Of a workflow that has not failed yet. */
export const noAlert: Alert = {
  open: false,
  since: null,
  failures: 0,
  lastFailedAt: null,
  untold: 0,
  groups: [],
  notify: null,
  note: null,
  mailedAt: null,
  told: false,
};

/** Different failures that one mail tells of. */
const mostGroups = 20;
/** For so long nothing may have failed before it is said that the workflow works again. */
const quietMs = 10 * 60_000;
/** Letters of a reason that are told. */
const longestMessage = 1_000;

/** The alert with further failures, in the order in which they ended. */
export function addFailures(alert: Alert, failures: readonly Failure[]): Alert {
  const [first, last] = [failures[0], failures.at(-1)];
  if (first === undefined || last === undefined) return alert;
  const begun = alert.open
    ? alert
    : { ...alert, open: true, since: first.failedAt.toISOString(), failures: 0, told: false };
  return {
    ...begun,
    failures: begun.failures + failures.length,
    untold: begun.untold + failures.length,
    lastFailedAt: last.failedAt.toISOString(),
    groups: failures.reduce(addToGroups, begun.groups),
  };
}

function addToGroups(groups: readonly FailureGroup[], failure: Failure): readonly FailureGroup[] {
  const { step, code } = failure;
  const at = groups.findIndex((group) => group.step === step && group.code === code);
  const group: FailureGroup = {
    ...failure,
    message: failure.message.slice(0, longestMessage).toWellFormed(),
    failedAt: failure.failedAt.toISOString(),
    count: (groups[at]?.count ?? 0) + 1,
  };
  if (at >= 0) return groups.with(at, group);
  return groups.length < mostGroups ? [...groups, group] : groups;
}

/** What is known when an alert is looked at. */
export interface Looking {
  readonly now: Date;
  /** Least time between two mails of failures. */
  readonly digestMs: number;
  /** When a run completed after the last failure; undefined: none did. */
  readonly workedAt: Date | undefined;
  /** Whether anybody is to be told. */
  readonly heard: boolean;
}

export type MailKind = "first" | "digest" | "resolved";

/** What is to be told now, and how the alert stands when it has been. */
export interface Decision {
  readonly mail: MailKind | undefined;
  readonly alert: Alert;
  /** When to look again; undefined: when something fails. */
  readonly reviewAt: Date | undefined;
}

/**
 * The first failure is told at once, the next ones together, no sooner than `digestMs` after the mail
 * before. That it works again is said when a run completed and nothing failed for a while: a workflow that
 * fails now and then stays at digests.
 */
export function decide(alert: Alert, looking: Looking): Decision {
  if (!alert.open) return { mail: undefined, alert, reviewAt: undefined };
  const { now, digestMs, heard } = looking;
  const dueAt = alert.mailedAt === null ? 0 : Date.parse(alert.mailedAt) + digestMs;
  if (alert.untold > 0 && heard && now.getTime() < dueAt) return { mail: undefined, alert, reviewAt: new Date(dueAt) };
  const works = hasWorked(alert, looking);
  if (alert.untold > 0 && heard) {
    const told = { ...alert, untold: 0, groups: [], note: null, mailedAt: now.toISOString(), told: true, open: !works };
    return {
      mail: alert.told ? "digest" : "first",
      alert: told,
      reviewAt: works ? undefined : nextLook(alert, looking),
    };
  }
  if (!works) return { mail: undefined, alert, reviewAt: nextLook(alert, looking) };
  const closed = { ...alert, open: false, untold: 0, groups: [], note: null };
  return { mail: alert.told && heard ? "resolved" : undefined, alert: closed, reviewAt: undefined };
}

/** Whether it works again, as far as anybody can say so early. */
export function hasWorked(alert: Alert, { now, digestMs, workedAt }: Omit<Looking, "heard">): boolean {
  const quiet = Math.min(quietMs, digestMs);
  return workedAt !== undefined && now.getTime() >= Date.parse(alert.lastFailedAt ?? "") + quiet;
}

/** Ever later after the last failure, as ever less is to be expected. */
function nextLook({ lastFailedAt }: Alert, { now, digestMs }: Looking): Date {
  const since = now.getTime() - Date.parse(lastFailedAt ?? now.toISOString());
  return new Date(now.getTime() + Math.min(Math.max(since / 2, Math.min(quietMs, digestMs)), digestMs));
}
