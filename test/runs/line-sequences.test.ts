import { expect, test } from "vitest";
import { whenBusyPolicies } from "../../src/definition/schema.ts";
import { createId } from "../../src/ids.ts";
import { admit } from "../../src/runs/admission.ts";
import { cancelRun } from "../../src/runs/cancel.ts";
import { closeCancelled, releaseKey } from "../../src/runs/close.ts";
import { enqueueRuns } from "../../src/runs/enqueue.ts";
import { createDice } from "../crm/model/dice.ts";
import { createTestDatabase } from "../support/database.ts";
import { insertWorkflow, insertWorkspace } from "../support/rows.ts";
import { createLineModel } from "./line-model.ts";

const { pool } = await createTestDatabase();
const rounds = 60;
const dispatchers = 3;

for (const seed of [1, 2, 3, 4]) {
  test(`several dispatchers judge runs that come and go as one would by hand (seed ${seed})`, async () => {
    const dice = createDice(seed);
    const workspaceId = await insertWorkspace(pool, { limit: 6 });
    const workflows = await Promise.all(whenBusyPolicies.map((key) => insertWorkflow(pool, workspaceId, key)));
    const model = createLineModel();

    async function enqueue(): Promise<void> {
      const runs = Array.from({ length: 1 + dice.below(6) }, () => {
        const policy = dice.below(whenBusyPolicies.length);
        const key = `key-${dice.below(3)}`;
        const [whenBusy, limit] = [whenBusyPolicies[policy]!, 1 + dice.below(3)];
        const id = createId();
        model.add({ id, key, limit, whenBusy });
        return {
          id,
          workspaceId,
          ...workflows[policy]!,
          trigger: { id: "form", kind: "webhook" },
          settings: {},
          concurrency: { key, limit, whenBusy, scope: "workspace" as const },
        };
      });
      await enqueueRuns(pool, runs);
    }

    async function admitAll(): Promise<void> {
      model.judgeAll();
      const looks = Array.from({ length: dispatchers }, (_, owner) =>
        admit(pool, { workspaceId, owner: `dispatcher-${owner}`, most: 2 }),
      );
      const admitted = (await Promise.all(looks)).flatMap((look) => look.admitted);
      expect(admitted.map(({ runId }) => model.start(runId))).toEqual(admitted.map(() => "holds"));
    }

    async function close(): Promise<void> {
      const started = model.ids("started");
      if (started.length === 0) return;
      const runId = dice.pick(started);
      const { rows } = await pool.query<{ fence: number }>("select fence from tandem.runs where id = $1", [runId]);
      expect(await closeCancelled(pool, { runId, fence: rows[0]!.fence })).toBe(true);
      await releaseKey(pool, runId);
      model.close(runId);
    }

    async function cancelQueued(): Promise<void> {
      const queued = model.ids("in line", "holds");
      if (queued.length === 0) return;
      const runId = dice.pick(queued);
      await cancelRun(pool, { workspaceId, runId });
      model.close(runId);
    }

    async function ledger(): Promise<Record<string, string>> {
      const { rows } = await pool.query<{ id: string; state: string }>(
        `select id, case when ended_at is not null then 'over' when status <> 'queued' then 'started'
           when ready then 'holds' when ready is null then 'new' else 'in line' end || coalesce(':' || (error ->> 'code'), '') as state
         from tandem.runs where workspace_id = $1`,
        [workspaceId],
      );
      return Object.fromEntries(rows.map(({ id, state }) => [id, state]));
    }

    for (let round = 0; round < rounds; round++) {
      if (!dice.oneIn(3)) await enqueue();
      for (let closing = dice.below(3); closing > 0; closing--) await close();
      if (dice.oneIn(4)) await cancelQueued();
      await admitAll();
      expect(await ledger()).toEqual(model.describe());
    }
  });
}
