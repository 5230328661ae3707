import { expect, test } from "vitest";
import { inTurn, minutesAgo, scheduled, startScheduling } from "./support.ts";

const { engine, call, install, handleOf, compare, described, ran, allRan } = await startScheduling({ paused: true });

test("what is rung for while no worker runs is fired once when one starts", async () => {
  const { id } = await install(scheduled("unheard", { every: "1m" }, inTurn));
  expect(await described("unheard")).toBeUndefined();
  await compare();
  const range = { start: minutesAgo(4), end: minutesAgo(2), overlap: "ALLOW_ALL" as const };
  const moments = [4, 3, 2].map((minutes) => minutesAgo(minutes).toISOString());
  await handleOf("unheard").backfill(range);
  expect(await ran(id)).toEqual([]);
  await engine.resume();
  await allRan(id, 3);
  await handleOf("unheard").backfill(range);
  await call("POST", `/api/workflows/${id}/deactivate`);
  expect((await ran(id)).map(({ at }) => at).filter((at) => moments.includes(at))).toEqual(moments);
});
