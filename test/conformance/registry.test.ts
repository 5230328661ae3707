import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { createStepKinds } from "../../src/activities/registry.ts";
import { createCode } from "../../src/code/code.ts";
import { projectRoot, readConfig } from "../../src/config.ts";
import { controlKinds, createStepShapes } from "../../src/definition/schema.ts";
import { validateDefinition } from "../../src/definition/validate.ts";
import type { Issue } from "../../src/errors.ts";
import type { JsonObject } from "../../src/json.ts";
import { createLog } from "../../src/log.ts";
import { createMailTransport } from "../../src/mailbox/transport.ts";
import { triggerKinds } from "../../src/triggers/registry.ts";
import { createTestDatabase } from "../support/database.ts";
import { createTestWorkspace, definitionOf } from "../support/engine.ts";
import { brokenAt, keysOf, type Broken } from "./support/broken.ts";
import { specimens } from "./support/specimens.ts";

const mail = createMailTransport(readConfig({ MAIL_FROM: "crm@example.org" }));
const code = createCode(readConfig({}), createLog("test", "fatal"));
afterAll(() => code.stop());
const kinds = createStepKinds({ mail, code });
const { pool } = await createTestDatabase();
const { objects } = await createTestWorkspace(pool);
const documentation = await readFile(join(projectRoot, "docs/steps.md"), "utf8");
const { control } = createStepShapes(z.any());

const specimensOf = (kind: string): readonly JsonObject[] => specimens[kind] ?? [];

/** What activation finds wrong with a definition of this one step. */
function faultsOf(step: JsonObject): readonly Issue[] {
  const context = { kinds, triggerKinds, objects, quickLane: true, settings: {} };
  return validateDefinition(definitionOf("conformance", [step]), context).issues;
}

/** Breakages that are not refused, or not by the place where they are. */
function missed(broken: readonly Broken[], stepOf: (input: JsonObject) => JsonObject) {
  return broken.flatMap(({ input, at, how }) => {
    const places = faultsOf(stepOf(input)).map(({ path }) => path);
    return places.length > 0 && places.every((place) => place === at) ? [] : [{ at, how, places }];
  });
}

test("every kind has specimens, and every specimen its kind", () => {
  expect(
    Object.keys(specimens).toSorted(),
    "A step kind has inputs in test/conformance/support/specimens.ts, and a case in cases.ts beside it.",
  ).toEqual([...Object.keys(kinds), ...controlKinds].toSorted());
});

describe.each(Object.entries(kinds))("%s", (name, kind) => {
  const stepOf = (input: JsonObject): JsonObject => ({ id: "it", kind: name, input });

  test("has its section in the docs, which names every key that it takes", () => {
    expect(kind.kind).toBe(name);
    const [, section = ""] = documentation.split(new RegExp(`^## ${name}$`, "m"));
    const own = section.split(/^## /m)[0] ?? "";
    expect(keysOf(kind.input).filter((key) => !own.includes(`\`${key}\``))).toEqual([]);
  });

  test("has a sample that it takes, and that gives what it says that it gives", () => {
    expect(kind.input.safeParse(kind.sample.input)).toMatchObject({ success: true });
    expect(kind.output.safeParse(kind.sample.output)).toMatchObject({ success: true });
  });

  test("has specimens that activation takes, in which every key of its input stands", () => {
    expect(specimensOf(name).flatMap((input) => faultsOf(stepOf(input)))).toEqual([]);
    const keys = new Set(specimensOf(name).flatMap((input) => Object.keys(input)));
    expect(keysOf(kind.input).filter((key) => !keys.has(key))).toEqual([]);
  });

  test("refuses every broken input, and names exactly where it is broken", () => {
    const broken = specimensOf(name).flatMap((input) => brokenAt(kind.input, input, { at: "steps[0].input" }));
    expect(broken.length).toBeGreaterThan(5);
    expect(missed(broken, stepOf)).toEqual([]);
  });
});

describe.each(controlKinds)("%s", (kind) => {
  const steps = specimensOf(kind).map((keys) => ({ id: "it", kind, ...keys }));

  test("is refused where it is broken, and named exactly there", () => {
    expect(steps.flatMap(faultsOf)).toEqual([]);
    const broken = steps.flatMap((step) => brokenAt(control[kind], step, { at: "steps[0]", without: ["kind"] }));
    expect(broken.length).toBeGreaterThan(5);
    expect(missed(broken, (step) => step)).toEqual([]);
  });
});
