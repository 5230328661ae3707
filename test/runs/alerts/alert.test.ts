import { describe, expect, test } from "vitest";
import {
  addFailures,
  decide,
  noAlert,
  type Alert,
  type Decision,
  type Failure,
} from "../../../src/runs/alerts/alert.ts";

const digestMs = 60 * 60_000;
const at = (minute: number): Date => new Date(Date.UTC(2026, 0, 1, 9, minute));
const failure = (minute: number, change: Partial<Failure> = {}): Failure => ({
  runId: `run-${minute}`,
  step: "tell",
  code: "timeout",
  message: "It took too long.",
  attempts: 3,
  failedAt: at(minute),
  ...change,
});

/** Looks at the alert in this minute; `worked` is when a run completed since the last failure. */
function look(
  alert: Alert,
  minute: number,
  { worked, heard = true }: { worked?: number; heard?: boolean } = {},
): Decision {
  const workedAt = worked === undefined ? undefined : at(worked);
  return decide(alert, { now: at(minute), digestMs, workedAt, heard });
}

describe("a workflow's failures", () => {
  test("are told at once the first time, then together, an hour after the mail before at the soonest", () => {
    const first = look(addFailures(noAlert, [failure(0)]), 0);
    expect(first.mail).toBe("first");
    const more = addFailures(first.alert, [failure(1), failure(2), failure(30)]);
    expect(look(more, 30)).toMatchObject({ mail: undefined, alert: { untold: 3 }, reviewAt: at(60) });
    const digest = look(more, 60);
    expect(digest).toMatchObject({ mail: "digest", alert: { untold: 0, failures: 4, open: true } });
    expect(look(digest.alert, 125).mail).toBeUndefined();
  });

  test("are grouped by step and reason, with the last run of each", () => {
    const alert = addFailures(noAlert, [
      failure(0),
      failure(1, { code: "mail-refused" }),
      failure(2, { message: "Too long again." }),
      failure(3, { step: null }),
    ]);
    expect(alert.groups.map(({ step, code, count, runId }) => [step, code, count, runId])).toEqual([
      ["tell", "timeout", 2, "run-2"],
      ["tell", "mail-refused", 1, "run-1"],
      [null, "timeout", 1, "run-3"],
    ]);
    expect(alert.groups[0]?.message).toBe("Too long again.");
  });

  test("of many kinds are bounded, and counted all the same", () => {
    const alert = addFailures(
      noAlert,
      Array.from({ length: 500 }, (_, i) => failure(i, { code: `code-${i}`, message: "x".repeat(100_000) })),
    );
    expect(alert).toMatchObject({ untold: 500, failures: 500 });
    expect(JSON.stringify(alert).length).toBeLessThan(40_000);
  });

  test("begin anew after it worked, but never with two mails within the hour", () => {
    const first = look(addFailures(noAlert, [failure(0)]), 0);
    const resolved = look(first.alert, 12, { worked: 5 });
    expect(resolved).toMatchObject({ mail: "resolved", alert: { open: false }, reviewAt: undefined });
    const again = addFailures(resolved.alert, [failure(20)]);
    expect(again).toMatchObject({ since: at(20).toISOString(), failures: 1 });
    expect(look(again, 20)).toMatchObject({ mail: undefined, reviewAt: at(60) });
    expect(look(again, 60)).toMatchObject({ mail: "first" });
  });
});

describe("a workflow that works again", () => {
  const told = look(addFailures(noAlert, [failure(0)]), 0).alert;

  test("is said to do so when nothing failed for ten minutes", () => {
    expect(look(told, 9, { worked: 1 }).mail).toBeUndefined();
    expect(look(told, 10, { worked: 1 }).mail).toBe("resolved");
  });

  test("is not said to do so while no run completes, and is looked at ever more seldom", () => {
    const looks = [0, 10, 30, 600].map((minute) => {
      const { mail, reviewAt } = look(told, minute);
      expect(mail).toBeUndefined();
      return ((reviewAt?.getTime() ?? 0) - at(minute).getTime()) / 60_000;
    });
    expect(looks).toEqual([10, 10, 15, 60]);
  });

  test("is said to do so in the digest, where one was due", () => {
    const failing = addFailures(told, [failure(40)]);
    expect(look(failing, 60, { worked: 45 })).toMatchObject({
      mail: "digest",
      alert: { open: false },
      reviewAt: undefined,
    });
  });

  test("while some of its runs fail goes on with digests", () => {
    let [alert, mails] = [told, [] as unknown[]];
    for (let minute = 5; minute <= 240; minute += 5) {
      const { mail, alert: next } = look(addFailures(alert, [failure(minute)]), minute, { worked: minute });
      alert = next;
      mails = [...mails, mail];
    }
    expect(mails.filter((mail) => mail !== undefined)).toEqual(["digest", "digest", "digest", "digest"]);
  });
});

describe("with nobody to tell", () => {
  test("failures are counted, and told of when there is somebody", () => {
    const silent = look(addFailures(noAlert, [failure(0)]), 0, { heard: false });
    expect(silent).toMatchObject({ mail: undefined, alert: { untold: 1, open: true } });
    expect(look(addFailures(silent.alert, [failure(5)]), 5)).toMatchObject({ mail: "first", alert: { failures: 2 } });
  });

  test("nothing is said when it works again", () => {
    const silent = look(addFailures(noAlert, [failure(0)]), 0, { heard: false });
    expect(look(silent.alert, 20, { worked: 15, heard: false })).toMatchObject({
      mail: undefined,
      alert: { open: false, untold: 0 },
    });
  });
});
