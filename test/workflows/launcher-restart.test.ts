import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { projectRoot } from "../../src/config.ts";
import { launcherIdOf } from "../../src/runs/launches/launcher-id.ts";
import { createTestDatabase } from "../support/database.ts";
import { startTestEngine } from "../support/engine.ts";
import { testTemporal } from "../support/temporal.ts";
import { until } from "../support/until.ts";

const run = promisify(execFile);

const { pool } = await createTestDatabase();
const engine = await startTestEngine(pool);
const { installation, workspace, link } = engine;

async function install(key: string) {
  const { workflowId } = await engine.activate({
    formatVersion: 1,
    key,
    name: key,
    triggers: [{ id: "button", kind: "manual", inputs: { campaign: { type: "text" } } }],
    steps: [{ id: "answer", kind: "set", input: { campaign: "{{ trigger.inputs.campaign }}" } }],
  });
  engine.ringTriggers();
  const launcherId = launcherIdOf({ installation, workspaceId: workspace.id, workflowKey: key });
  const handle = link.client.workflow.getHandle(launcherId);
  await until("the launcher", async () => (await handle.describe()).status.name === "RUNNING");
  return { workflowId, launcherId, handle };
}

/** The documented command with this launcher's id and Temporal's address, without a shell. */
async function documentedCommand(launcherId: string): Promise<string[]> {
  const text = await readFile(join(projectRoot, "docs/launching.md"), "utf8");
  const [, line = ""] = /^temporal (workflow signal .*)$/m.exec(text) ?? [];
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
  const { address } = testTemporal();
  return words.map((word) => word.replace("<launcherId>", launcherId).replace("<address>", address));
}

const signalByCommand = async (args: string[]): Promise<unknown> => {
  return run(testTemporal().cli, args);
};

test("the documented command launches the workflow", async () => {
  const { workflowId, launcherId } = await install("by-command");
  await signalByCommand(await documentedCommand(launcherId));
  const launched = await until("the launch", async () => {
    const { rows } = await pool.query<{ launchId: string; inputs: unknown; runId: string }>(
      `select launch_id as "launchId", inputs, run_id as "runId" from tandem.launches where workflow_id = $1`,
      [workflowId],
    );
    return rows[0];
  });
  expect(launched).toMatchObject({ launchId: "spring-2", inputs: { campaign: "Spring" } });
  expect((await engine.finished(launched.runId)).status).toBe("completed");
});

test(
  "of 600 launches by signal, with the workers ended in between, none is lost and none comes twice",
  {
    timeout: 300_000,
  },
  async () => {
    const { workflowId, launcherId, handle } = await install("restarted");
    const { runId: first } = await handle.describe();
    const signal = async (from: number, to: number): Promise<void> => {
      await Promise.all(
        Array.from({ length: to - from }, (_, i) => handle.signal("launch", { launchId: `launch-${from + i}` })),
      );
    };
    const taken = async (): Promise<number> => {
      const { rows } = await pool.query<{ count: number }>(
        "select count(*) as count from tandem.launches where workflow_id = $1",
        [workflowId],
      );
      return rows[0]?.count ?? 0;
    };
    const address = ["--address", testTemporal().address];
    const command = ["workflow", "signal", ...address, "--workflow-id", launcherId, "--name", "launch"];
    await signal(0, 200);
    await until("some to be taken", async () => (await taken()) >= 50);
    await engine.halt();
    await signal(150, 400);
    for (let i = 400; i < 405; i++)
      await signalByCommand([...command, "--input", JSON.stringify({ launchId: `launch-${i}` })]);
    await engine.resume();
    await signal(405, 600);
    await until("all to be taken", async () => (await taken()) === 600, 120_000);
    await until(
      "all runs to be over",
      async () => {
        const { rows } = await pool.query("select 1 from tandem.runs where workflow_id = $1 and ended_at is null", [
          workflowId,
        ]);
        return rows.length === 0;
      },
      120_000,
    );
    const { rows: runs } = await pool.query<{ launch: string; status: string }>(
      "select launched_by ->> 'launch' as launch, status from tandem.runs where workflow_id = $1",
      [workflowId],
    );
    expect(new Set(runs.map(({ launch }) => launch)).size).toBe(600);
    expect(runs.filter(({ status }) => status === "completed")).toHaveLength(600);
    const anew = await until("the launcher to have begun anew", async () => {
      const described = await link.client.workflow.getHandle(launcherId).describe();
      return described.runId === first ? undefined : described;
    });
    expect(anew.status.name).toBe("RUNNING");
  },
);
