import { Validator } from "@seriousme/openapi-schema-validator";
import { describe, expect, test } from "vitest";
import { operations } from "../../../src/api/rest/operations.ts";
import type { JsonObject } from "../../../src/json.ts";
import { startRest } from "./support.ts";

const rest = await startRest();
const { status, body: core } = await rest.call("GET", "open-api/core");
const paths = core["paths"] as Record<string, Record<string, JsonObject>>;
const schemas = (core["components"] as { schemas: Record<string, JsonObject> }).schemas;

describe("the workspace's OpenAPI document", () => {
  test("is valid, and every reference in it leads somewhere", async () => {
    expect(status).toBe(200);
    const validator = new Validator();
    expect(await validator.validate(structuredClone(core))).toEqual({ valid: true });
    expect(core["openapi"]).toBe("3.1.1");
    const references = [...JSON.stringify(core).matchAll(/"\$ref":"#\/components\/(\w+)\/(\w+)"/g)];
    expect(references.length).toBeGreaterThan(100);
    const components = core["components"] as Record<string, JsonObject>;
    for (const [, kind = "", name = ""] of references) expect(Object.keys(components[kind] ?? {})).toContain(name);
  });

  test("has every operation of every object, under names of which none comes twice", () => {
    const described = Object.values(paths).flatMap((item) => Object.values(item));
    expect(described).toHaveLength(operations.length * rest.objects.list().length);
    const ids = described.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(
      expect.arrayContaining(["findManyPeople", "createOnePerson", "createManyTaskTargets", "restoreOneNote"]),
    );
  });

  test("has three schemas of each object: to make, to change, and as it is answered", () => {
    expect(schemas["Opportunity"]).toMatchObject({
      properties: {
        stage: {
          type: ["string", "null"],
          enum: ["NEW", "SCREENING", "MEETING", "PROPOSAL", "CUSTOMER", "CLOSED_WON", "CLOSED_LOST", null],
        },
        amount: { properties: { amountMicros: { type: ["integer", "string", "null"] } } },
        closeDate: { format: "date-time" },
        companyId: { format: "uuid" },
      },
    });
    expect(Object.keys(schemas["PersonForUpdate"]!["properties"] as JsonObject)).not.toContain("createdAt");
    expect(schemas["TaskTarget"]).toMatchObject({
      required: ["taskId"],
      properties: { targetPersonId: { format: "uuid" } },
    });
    expect(schemas["PersonForResponse"]).toMatchObject({
      properties: {
        company: { anyOf: [{ $ref: "#/components/schemas/CompanyForResponse" }, { type: "null" }] },
        taskTargets: { type: "array", items: { $ref: "#/components/schemas/TaskTargetForResponse" } },
      },
    });
  });

  test("describes what is answered: records have the properties of their schema, and no other", async () => {
    const task = await rest.make("tasks", { title: "T" });
    const person = await rest.make("people", {});
    const link = await rest.make("taskTargets", { taskId: task.id, personId: person.id });
    for (const [plural, name, id] of [
      ["people", "Person", person.id],
      ["taskTargets", "TaskTarget", link.id],
    ] as const) {
      const { body } = await rest.call("GET", `${plural}/${id}?depth=1`);
      const [record] = Object.values(body["data"] as Record<string, JsonObject>);
      const described = Object.keys(schemas[`${name}ForResponse`]!["properties"] as JsonObject);
      expect(Object.keys(record!).toSorted()).toEqual(described.toSorted());
    }
  });
});
