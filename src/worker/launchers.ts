import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from "@temporalio/client";
import type { LauncherInput } from "../activities/contract.ts";
import type { Log } from "../log.ts";
import {
  forgetLauncher,
  launchersToEnd,
  launchersToLookAt,
  lookAgain,
  noteLaunchers,
  type Launcher,
} from "../runs/launches/launchers.ts";
import { createLoop, type Loop } from "../runs/loop.ts";
import type { SqlPool } from "../sql.ts";
import { searchAttributesOf, type TemporalLink } from "./temporal.ts";

const pollMs = 2_000;
/** Between looks while there are more to look at: thousands of launchers must not keep Temporal busy. */
const restMs = 250;
const noteEveryMs = 30_000;

interface Parts {
  readonly pool: SqlPool;
  readonly link: TemporalLink;
  /** The installation's id: task queues begin with it. */
  readonly queuePrefix: string;
  /** Names of search attributes that the namespace has. */
  readonly searchAttributes: readonly string[];
  readonly log: Log;
}

/**
 * Sees to it that every manual workflow has its launcher in Temporal: makes those that are missing,
 * whoever ended them and whatever was lost, and ends those that nobody needs any more. A ring says that
 * triggers changed; without one each launcher is looked at once a minute, a few at a time.
 */
export function createLauncherKeeper(parts: Parts): Loop {
  const { pool, log } = parts;
  let noteAt = 0;

  async function keep(launcher: Launcher): Promise<void> {
    try {
      await start(parts, launcher);
    } catch (error) {
      await lookAgain(pool, launcher.workflowId);
      throw error;
    }
  }

  const loop = createLoop({
    work: "keeping launchers",
    log,
    async round() {
      if (Date.now() >= noteAt) {
        await noteLaunchers(pool, parts.queuePrefix);
        noteAt = Date.now() + noteEveryMs;
      }
      const due = await launchersToLookAt(pool);
      await Promise.all(due.map(keep));
      for (const { launcherId, workflowId } of await launchersToEnd(pool)) {
        await end(parts, launcherId);
        await forgetLauncher(pool, workflowId);
      }
      return due.length > 0 ? restMs : pollMs;
    },
  });
  return {
    ...loop,
    ring() {
      noteAt = 0;
      loop.ring();
    },
  };
}

/** One that is there is left as it is; one that has ended, however it did, is made anew. */
async function start({ link, queuePrefix, searchAttributes }: Parts, launcher: Launcher): Promise<void> {
  const { launcherId, workspaceId, workflowId, workflowKey, workflowName } = launcher;
  const input: LauncherInput = { launcherId, workspaceId, workflowId, recent: [] };
  try {
    await link.client.workflow.start("launcher", {
      workflowId: launcherId,
      taskQueue: `${queuePrefix}-runs`,
      args: [input],
      workflowIdReusePolicy: "ALLOW_DUPLICATE",
      workflowIdConflictPolicy: "USE_EXISTING",
      staticSummary: `Launches ${workflowName}`.slice(0, 200),
      staticDetails: howTo,
      priority: { fairnessKey: workspaceId },
      typedSearchAttributes: searchAttributesOf(
        { TandemWorkspace: workspaceId, TandemWorkflow: workflowKey, TandemTrigger: "manual" },
        searchAttributes,
      ),
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}

async function end({ link }: Parts, launcherId: string): Promise<void> {
  try {
    await link.client.workflow.getHandle(launcherId).terminate("The workflow has no manual trigger any more");
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}

const howTo = `Launch the workflow by **Send a Signal**, name \`launch\`, with JSON such as

    {"inputs": {"name": "value"}, "ids": ["…"]}

or \`"view"\` or \`"filter"\` in the place of \`"ids"\`; nothing where the workflow asks for nothing. The query \`recentLaunches\` says what became of it.`;
