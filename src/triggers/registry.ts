import { manual } from "./manual.ts";
import { recordEvent } from "./record-event.ts";
import { schedule } from "./schedule.ts";
import type { TriggerKinds } from "./trigger-kind.ts";
import { webhook } from "./webhook.ts";

/** Every trigger kind. A new one is a file of its own and a line here. */
export const triggerKinds = { webhook, manual, schedule, "record-event": recordEvent } satisfies TriggerKinds;
