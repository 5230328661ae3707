import { rawValueTypeInfo, type RawValue } from "@temporalio/common";
import { decode, encode } from "@temporalio/common/lib/encoding.js";
import {
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  uuid4,
  workflowInfo,
} from "@temporalio/workflow";
import type { Activities, LauncherInput, LaunchOutcome, LaunchSignal } from "../activities/contract.ts";

/**
 * Whatever is sent, and however much of it, stays as it came: a payload that cannot be decoded would fail
 * the workflow's task over and over, and nobody could launch any more.
 */
const inputTypes = new Proxy([], { get: () => rawValueTypeInfo });

/** What people send from the Web UI or the command line: one JSON object, or nothing. */
export const launch = defineSignal<RawValue[]>("launch", { typeInfo: { inputTypes } });
/** The last launches, the newest first. */
export const recentLaunches = defineQuery<readonly LaunchOutcome[]>("recentLaunches");

/** Signals after which the workflow begins anew, so that its history stays short. */
const mostHandled = 500;
/** Events after which it does so, whatever they are: signals of other names are events too. */
const mostEvents = 4_000;
const mostRemembered = 20;
/** Signals that one activity takes, and their characters. */
const batch = { signals: 50, characters: 262_144 };
const largestBytes = 65_536;

const { takeLaunches } = proxyActivities<Pick<Activities, "takeLaunches">>({
  // A worker that dies with them keeps the next signals waiting for no longer.
  startToCloseTimeout: "10 seconds",
  // Until they are committed: Postgres may be away.
  retry: { initialInterval: "250ms", backoffCoefficient: 2, maximumInterval: "5s" },
});

/** Hears the signals of one manual workflow and makes launches of them. Lives for as long as the workflow has such a trigger. */
export async function launcher(input: LauncherInput): Promise<void> {
  const { recent: before, ...key } = input;
  const pending: LaunchSignal[] = [];
  let recent = before;
  let handled = 0;
  setHandler(launch, (...sent) => void pending.push(read(sent)), {
    description:
      'Launches the workflow. Input: {"inputs": …, "ids" or "view" or "filter": …, "launchId": …}, or nothing.',
  });
  setHandler(recentLaunches, () => recent, { description: "The last launches and what became of them." });

  const isFull = (): boolean =>
    handled >= mostHandled || workflowInfo().historyLength >= mostEvents || workflowInfo().continueAsNewSuggested;
  for (;;) {
    setCurrentDetails(describe(recent));
    await condition(() => pending.length > 0 || isFull());
    while (pending.length > 0) {
      const signals = pending.splice(0, sizeOfBatch(pending));
      const outcomes = await takeLaunches({ ...key, signals });
      handled += signals.length;
      recent = [...outcomes.toReversed(), ...recent].slice(0, mostRemembered);
    }
    // Nothing is carried over: what comes in before the command is taken by the server comes first.
    if (isFull()) {
      await condition(allHandlersFinished);
      if (pending.length === 0) await continueAsNew<typeof launcher>({ ...key, recent });
    }
  }
}

function sizeOfBatch(pending: readonly LaunchSignal[]): number {
  let characters = 0;
  const end = pending.findIndex(({ text }, position) => {
    characters += text?.length ?? 0;
    return position > 0 && (position >= batch.signals || characters > batch.characters);
  });
  return end === -1 ? pending.length : end;
}

/** A signal as it is taken in: its text, or why it has none. What the text says is not for the workflow to judge. */
function read(sent: readonly RawValue[]): LaunchSignal {
  const id = uuid4();
  if (sent.length > 1) return { id, fault: `It has ${sent.length} payloads: send one JSON object.` };
  const data = sent[0]?.payload.data;
  if (data === null || data === undefined || data.length === 0) return { id, text: "" };
  if (data.length > largestBytes)
    return { id, fault: `It has ${data.length} bytes; ${largestBytes} are allowed. Select by a view or a filter.` };
  const text = decode(data);
  return encode(text).length === data.length ? { id, text } : { id, fault: "It is not UTF-8 text." };
}

function describe(recent: readonly LaunchOutcome[]): string {
  const rows = recent.slice(0, 10).map(({ at, launchId, status }) => `| ${at} | ${launchId} | ${status} |`);
  return ["| time | launch id | |", "| --- | --- | --- |", ...rows].join("\n");
}
