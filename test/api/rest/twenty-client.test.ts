import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { projectRoot } from "../../../src/config.ts";
import type { JsonObject } from "../../../src/json.ts";
import { startRest } from "./support.ts";

const run = promisify(execFile);
const folder = join(import.meta.dirname, "twenty-client");
const succeeds = async (work: Promise<unknown>): Promise<boolean> =>
  work.then(
    () => true,
    () => false,
  );

/** The client is Python; where there is none, there is nothing to try. */
const hasPython = await succeeds(run("python3", ["-c", "import sys, venv; assert sys.version_info >= (3, 10)"]));

/** Gives the interpreter that has the client, with exactly the packages of requirements.txt; kept for the next run. */
async function installClient(): Promise<string> {
  const requirements = join(folder, "requirements.txt");
  const hash = createHash("sha256")
    .update(await readFile(requirements))
    .digest("hex")
    .slice(0, 16);
  const home = join(projectRoot, "node_modules", ".cache", "tandem", `twenty-client-${hash}`);
  const [interpreter, complete] = [join(home, "bin", "python"), join(home, "complete")];
  if (await succeeds(stat(complete))) return interpreter;
  await rm(home, { recursive: true, force: true });
  await run("python3", ["-m", "venv", home]);
  await run(interpreter, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]);
  await mkdir(complete);
  return interpreter;
}

interface Life {
  readonly made: JsonObject & { id: string };
  readonly found: JsonObject;
  readonly changed: JsonObject;
  readonly listed: JsonObject[];
  readonly batch: { id: string }[];
  readonly marked: string;
  readonly hidden: string[];
  readonly restored: string;
  readonly gone: string[];
  readonly back: string[];
  readonly pages: { ids: string[]; total: number; before: string[] };
  readonly allChanged: JsonObject[];
  readonly destroyed: string[];
  readonly left: number;
}

describe.skipIf(!hasPython)("a client that others generated from Twenty's OpenAPI document", () => {
  let report: Record<string, Life> & { more: JsonObject };

  beforeAll(async () => {
    const rest = await startRest();
    const interpreter = await installClient();
    const { stdout } = await run(interpreter, [join(folder, "tour.py"), rest.url, rest.key], { maxBuffer: 1e7 });
    report = JSON.parse(stdout) as typeof report;
  }, 180_000);

  const changes: [string, JsonObject][] = [
    ["person", { jobTitle: "Analyst", city: "London" }],
    ["company", { employees: 13 }],
    ["opportunity", { stage: "PROPOSAL" }],
    ["task", { status: "IN_PROGRESS" }],
    ["note", { title: expect.stringMatching(/^Met again/) }],
    ["task_target", {}],
    ["note_target", {}],
  ];

  test.each(changes)("creates, reads, changes and finds a %s", (name, change) => {
    const { made, found, changed, listed } = report[name]!;
    expect(changed).toMatchObject({ ...change, id: made.id });
    expect(listed).toEqual([changed]);
    expect(found).toEqual(changed);
  });

  test.each(changes)("makes, marks, restores and destroys many of %s at once", (name, change) => {
    const { batch, marked, hidden, restored, gone, back, allChanged, destroyed, left } = report[name]!;
    const ids = batch.map(({ id }) => id);
    const sorted = ids.toSorted();
    expect(ids).toHaveLength(5);
    expect(marked).toBe(ids[0]);
    expect(hidden).toEqual(sorted.filter((id) => id !== marked));
    expect(restored).toBe(marked);
    expect([gone, back, destroyed]).toEqual([sorted, sorted, sorted]);
    expect(allChanged.map((record) => record["id"])).toEqual(sorted);
    for (const record of allChanged) expect(record).toMatchObject(change);
    expect(left).toBe(0);
  });

  test.each(changes)("walks through pages of %s by cursors, both ways", (name) => {
    const { batch, pages } = report[name]!;
    const sorted = batch.map(({ id }) => id).toSorted();
    expect(pages).toEqual({ ids: sorted, total: 5, before: sorted.slice(2, 4) });
  });

  test("reads whole values back as it wrote them", () => {
    expect(report["company"]!.made).toMatchObject({
      address: { addressCity: "Bern", addressLat: 46.9 },
      annualRecurringRevenue: { amountMicros: 1200000000, currencyCode: "CHF" },
      domainName: { secondaryLinks: [{ label: "Docs", url: "https://docs.example" }] },
      idealCustomerProfile: true,
      createdBy: { source: "API", name: "Tester" },
    });
    expect(report["person"]!.made).toMatchObject({
      emails: { additionalEmails: ["ada@home.example"] },
      phones: { primaryPhoneNumber: "311234567", primaryPhoneCallingCode: "+41" },
      companyId: report["company"]!.made.id,
    });
    expect(report["task"]!.made).toMatchObject({ bodyV2: { markdown: "**Soon**" }, status: "TODO" });
    expect(report["task_target"]!.made).toMatchObject({
      taskId: report["task"]!.made.id,
      targetPerson: report["person"]!.made.id,
    });
  });

  test("sees relations beside a record, upserts, finds duplicates and merges", () => {
    const person = report["person"]!.made.id;
    expect(report.more).toMatchObject({
      related: {
        company: { id: report["company"]!.made.id },
        taskTargets: [{ id: report["task_target"]!.made.id }],
        noteTargets: [{ id: report["note_target"]!.made.id }],
        pointOfContactForOpportunities: [{ id: report["opportunity"]!.made.id }],
      },
      upserted: { id: person, city: "Ockham", jobTitle: "Analyst" },
      duplicates: [report.more["twin"]],
      total: 1,
      likely: [report["company"]!.made.id],
      merged: { id: person, avatarUrl: "https://x.example/a.png", jobTitle: "Analyst" },
    });
  });

  test("is told what it did wrong in the way that it knows", () => {
    expect(report.more).toMatchObject({
      refusal: { status: 400, messages: [expect.stringMatching(/^person: emails is taken, by the record /)] },
      missing: 404,
      paths: expect.any(Number),
    });
  });
});
