import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { projectRoot } from "../../src/config.ts";
import { launcherIdOf } from "../../src/runs/launches/launcher-id.ts";
import { chromiumPath, openBrowser } from "../support/browser.ts";
import { createTestDatabase } from "../support/database.ts";
import { startTestEngine } from "../support/engine.ts";
import { testTemporal } from "../support/temporal.ts";
import { until } from "../support/until.ts";

/** The picture in docs/launching.md is made anew by RECORD_PICTURES=true npm test -- test/workflows/web-ui. */
const record = process.env["RECORD_PICTURES"] === "true";
const pictures = join(projectRoot, "docs/images");

const { pool } = await createTestDatabase();
const engine = await startTestEngine(pool);

test.skipIf(chromiumPath === undefined)("a launch typed into the Web UI's form for signals makes a run", async () => {
  const inputs = { campaign: { type: "text", required: true } };
  const { workflowId } = await engine.activate({
    formatVersion: 1,
    key: "newsletter-subscribers",
    name: "Newsletter subscribers",
    triggers: [{ id: "button", kind: "manual", inputs }],
    steps: [{ id: "answer", kind: "set", input: { campaign: "{{ trigger.inputs.campaign }}" } }],
  });
  engine.ringTriggers();
  const { installation, workspace } = engine;
  const launcherId = launcherIdOf({
    installation,
    workspaceId: workspace.id,
    workflowKey: "newsletter-subscribers",
  });
  const handle = engine.link.client.workflow.getHandle(launcherId);
  await until("the launcher", async () => (await handle.describe()).status.name === "RUNNING");

  const browser = await openBrowser();
  try {
    const page = await browser.newPage();
    await page.goto(`${testTemporal().ui}/namespaces/default/workflows/${launcherId}`);
    await page.getByRole("button", { name: "More Actions" }).click();
    await page.getByRole("menuitem", { name: "Send a Signal" }).click();
    const form = page.locator("dialog[open]");
    // Its field takes no typing: what opens the list is the box around it.
    await form.locator("#signal-select").click({ force: true });
    await page.getByRole("option", { name: "launch" }).click();
    await form.locator("[contenteditable]").fill('{"inputs": {"campaign": "Spring"}, "launchId": "spring-1"}');
    // Once left, the field sets what was typed in lines, and the button moves.
    await form.getByText("Encoding", { exact: true }).click();
    await form.locator(".cm-line").nth(5).waitFor();
    if (record) {
      await mkdir(pictures, { recursive: true });
      await page.screenshot({
        path: join(pictures, "send-a-signal.png"),
        clip: { x: 64, y: 40, width: 1_080, height: 680 },
      });
    }
    await form.getByRole("button", { name: "Submit" }).click();
    const run = await until("its run to be over", async () => {
      const { rows } = await pool.query<{ id: string }>(
        `select r.id from tandem.runs r join tandem.launches l on l.run_id = r.id
         where l.workflow_id = $1 and l.launch_id = 'spring-1' and r.ended_at is not null`,
        [workflowId],
      );
      return rows[0];
    });
    expect((await engine.finished(run.id)).steps).toMatchObject([{ output: { campaign: "Spring" } }]);
  } finally {
    await browser.close();
  }
});
