import type { Code } from "../code/code.ts";
import type { MailTransport } from "../mailbox/transport.ts";
import { batchUpdateRecords } from "./batch-update-records.ts";
import { batchUpsertRecords } from "./batch-upsert-records.ts";
import { createCodeStep } from "./code.ts";
import { ask } from "./control/ask.ts";
import { respond } from "./control/respond.ts";
import { runWorkflow } from "./control/run-workflow.ts";
import { stop } from "./control/stop.ts";
import { wait } from "./control/wait.ts";
import { countRecords } from "./count-records.ts";
import { createRecord } from "./create-record.ts";
import { deleteRecord } from "./delete-record.ts";
import { createHttpRequest } from "./http-request.ts";
import type { HttpParts } from "./http/exchange.ts";
import { pickRecord } from "./pick-record.ts";
import { searchRecords } from "./search-records.ts";
import { createSendEmail } from "./send-email.ts";
import type { StepKinds } from "./step-kind.ts";
import { updateRecord } from "./update-record.ts";
import { upsertRecord } from "./upsert-record.ts";

/** What steps act with. What is optional is absent in processes that do no steps. */
export interface StepParts {
  readonly mail: MailTransport;
  readonly http?: HttpParts;
  readonly code?: Code;
}

/** Every step kind, by the name that definitions use. A new one is a file of its own and a line here. */
export function createStepKinds({ mail, http, code }: StepParts) {
  return {
    "create-record": createRecord,
    "update-record": updateRecord,
    "upsert-record": upsertRecord,
    "delete-record": deleteRecord,
    "search-records": searchRecords,
    "count-records": countRecords,
    "batch-upsert-records": batchUpsertRecords,
    "batch-update-records": batchUpdateRecords,
    "pick-record": pickRecord,
    "send-email": createSendEmail(mail),
    "http-request": createHttpRequest(http),
    code: createCodeStep(code),
    wait,
    ask,
    "run-workflow": runWorkflow,
    stop,
    respond,
  } satisfies StepKinds;
}
