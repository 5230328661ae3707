/** What to do about a failure, for the mail that tells of it. */
export function adviceOf(code: string): string {
  return (
    advices[code] ??
    "Read the reason, put right what it names in the workflow, in the data or at the other system, and run it again."
  );
}

const workflow = "Change the step in the workflow and activate it; then run it again.";
const data = "Put the data right, in the trigger's content or in the CRM, and run it again.";
const elsewhere = "Look at the other system; when it works again, run it again.";

/** By code, as docs/errors.md explains them. */
export const advices: Readonly<Record<string, string>> = {
  expression: "Give the expression a `default`, or see to it that what it reads is there; then run it again.",
  "invalid-input": workflow,
  "invalid-values": data,
  "invalid-filter": workflow,
  "unknown-object": workflow,
  "unknown-view": workflow,
  "unknown-secret": "Keep the secret again under its name, or let the step name another; then run it again.",
  "record-exists":
    "Use the record that there is (`ifExists: use` or `update`), or take the value from the other record.",
  "record-not-found": data,
  "related-record-not-found": data,
  "precondition-failed": "The record changed meanwhile: look at it, and run it again if the change is still wanted.",
  "nothing-to-pick": "Make a record of the object that can be picked, and run it again.",
  "mail-refused": "Check the recipients' addresses and what the mail server says of them; then run it again.",
  "mail-unavailable": "Check SMTP_URL and the mail server; when it takes mail again, run it again.",
  timeout: elsewhere,
  "not-connected": elsewhere,
  "http-status": elsewhere,
  "outcome-unknown":
    "Nobody knows whether the other system acted: look there first, then say so (done or free) where the step has `once`, or run it again.",
  "code-failed": workflow,
  "code-timeout": workflow,
  "code-memory": workflow,
  loop: "Look at what the workflows write: one of them starts another. Narrow its trigger by `fields` or a condition.",
  "concurrency-key": workflow,
  trigger: "Look at the trigger: what it watches is not there any more. Change it and activate the workflow.",
};
