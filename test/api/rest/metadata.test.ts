import { Validator } from "@seriousme/openapi-schema-validator";
import { describe, expect, test } from "vitest";
import { createId } from "../../../src/ids.ts";
import type { JsonObject } from "../../../src/json.ts";
import { startRest } from "./support.ts";

const { call, make } = await startRest();

interface Item extends JsonObject {
  id: string;
}
interface Described extends Item {
  fields: Item[];
}

async function listOf(plural: string, query = ""): Promise<{ items: Described[]; body: JsonObject }> {
  const { status, body } = await call("GET", `metadata/${plural}${query}`);
  expect(status).toBe(200);
  return { items: (body["data"] as Record<string, Described[]>)[plural]!, body };
}
async function objectOf(name: string): Promise<Described> {
  const { items } = await listOf("objects");
  return items.find(({ nameSingular }) => nameSingular === name)!;
}
async function done(method: string, path: string, body?: unknown): Promise<Described> {
  const answer = await call(method, `metadata/${path}`, body);
  if (answer.status > 201) throw new Error(JSON.stringify(answer.body));
  return Object.values(answer.body["data"] as Record<string, Described>)[0]!;
}

describe("objects", () => {
  test("are listed with their fields, as Twenty's clients know them", async () => {
    const { items, body } = await listOf("objects");
    expect(body).toMatchObject({ totalCount: 8, pageInfo: { hasNextPage: false, hasPreviousPage: false } });
    const person = items.find(({ nameSingular }) => nameSingular === "person")!;
    expect(person).toMatchObject({
      namePlural: "people",
      labelSingular: "Person",
      labelPlural: "People",
      isCustom: false,
      isActive: true,
      createdAt: expect.stringMatching(/^20/),
    });
    const names = person.fields.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["id", "createdAt", "name", "emails", "company", "taskTargets"]));
    expect(person.fields.find(({ name }) => name === "company")).toMatchObject({
      type: "RELATION",
      settings: { relationType: "MANY_TO_ONE", joinColumnName: "companyId", onDelete: "SET_NULL" },
      relation: {
        type: "MANY_TO_ONE",
        targetObjectMetadata: { nameSingular: "company", namePlural: "companies" },
        targetFieldMetadata: { name: "people" },
      },
    });
    expect(person.fields.find(({ name }) => name === "taskTargets")).toMatchObject({
      relation: { type: "ONE_TO_MANY", targetObjectMetadata: { nameSingular: "taskTarget" } },
    });
    const opportunity = items.find(({ nameSingular }) => nameSingular === "opportunity")!;
    expect(opportunity.fields.find(({ name }) => name === "stage")).toMatchObject({
      type: "SELECT",
      defaultValue: "'NEW'",
      options: expect.arrayContaining([
        { id: expect.any(String), value: "NEW", label: "New", color: "gray", position: 0 },
      ]),
    });
    expect(await done("GET", `objects/${person.id.toUpperCase()}`)).toEqual(person);
  });

  test("are made, renamed, hidden and removed", async () => {
    const made = await done("POST", "objects", {
      nameSingular: "rocket",
      namePlural: "rockets",
      labelSingular: "Rocket",
      labelPlural: "Rockets",
      icon: "IconRocket",
      isLabelSyncedWithName: false,
    });
    expect(made).toMatchObject({ nameSingular: "rocket", isCustom: true, icon: "IconRocket" });
    await make("rockets", { name: "Ariane" });
    expect(await done("PATCH", `objects/${made.id}`, { labelSingular: "Launcher" })).toMatchObject({
      id: made.id,
      labelSingular: "Launcher",
    });
    expect(await done("PUT", `objects/${made.id}`, { isActive: false })).toMatchObject({ isActive: false });
    expect((await call("GET", "rockets")).status).toBe(404);
    expect(await done("DELETE", `objects/${made.id}`)).toMatchObject({ id: made.id });
    expect((await call("GET", `metadata/objects/${made.id}`)).status).toBe(404);
  });

  test("come in pages whose cursors are ids, both ways", async () => {
    const { items: all } = await listOf("objects");
    const { items: first, body } = await listOf("objects", "?limit=2");
    expect(body["pageInfo"]).toEqual({
      hasNextPage: true,
      hasPreviousPage: false,
      startCursor: all[0]!.id,
      endCursor: all[1]!.id,
    });
    const { items: second } = await listOf("objects", `?limit=2&starting_after=${first[1]!.id}`);
    expect(second).toEqual(all.slice(2, 4));
    const { items: back, body: page } = await listOf("objects", `?limit=2&ending_before=${second[0]!.id}`);
    expect(back).toEqual(first);
    expect(page).toMatchObject({ pageInfo: { hasNextPage: true } });
  });
});

describe("fields", () => {
  test("are made with options and a default, changed and removed; records have them at once", async () => {
    const { id } = await objectOf("company");
    const options = [
      { value: "HOT", label: "Hot", color: "red", position: 0 },
      { value: "COLD", label: "Cold", color: "blue", position: 1 },
    ];
    const field = await done("POST", "fields", {
      objectMetadataId: id,
      type: "SELECT",
      name: "warmth",
      label: "Warmth",
      options,
      defaultValue: "'COLD'",
      isNullable: true,
      isLabelSyncedWithName: false,
    });
    expect(field).toMatchObject({ name: "warmth", objectMetadataId: id, isCustom: true, defaultValue: "'COLD'" });
    const company = await make("companies", { name: "Warm" });
    expect(company).toMatchObject({ warmth: "COLD" });
    const known = field["options"] as JsonObject[];
    const changed = await done("PATCH", `fields/${field.id}`, {
      label: "Temperature",
      options: [...known, { value: "ICY", label: "Icy", color: "sky", position: 2 }],
    });
    expect(changed).toMatchObject({ label: "Temperature" });
    expect((changed["options"] as JsonObject[]).map(({ value, id: of }) => [value, typeof of])).toEqual([
      ["HOT", "string"],
      ["COLD", "string"],
      ["ICY", "string"],
    ]);
    expect(await done("GET", `fields/${field.id}`)).toEqual(changed);
    expect(await done("DELETE", `fields/${field.id}`)).toMatchObject({ id: field.id });
    expect((await call("GET", `metadata/fields/${field.id}`)).status).toBe(404);
  });

  test("of Twenty's other names for a type are made too", async () => {
    const { id } = await objectOf("company");
    const whole = await done("POST", "fields", {
      objectMetadataId: id,
      type: "NUMERIC",
      name: "founded",
      label: "Founded",
      settings: { dataType: "int" },
    });
    expect(whole).toMatchObject({ type: "NUMBER", settings: { decimals: 0 } });
  });

  test.each([
    ["MANY_TO_ONE", "company", "partner"],
    ["ONE_TO_MANY", "person", "mentees"],
  ])("that are %s relations are made from the side that asks", async (type, target, name) => {
    const [person, other] = [await objectOf("person"), await objectOf(target)];
    const field = await done("POST", "fields", {
      objectMetadataId: person.id,
      type: "RELATION",
      name,
      label: "Relation",
      relationCreationPayload: {
        targetObjectMetadataId: other.id,
        targetFieldLabel: `Other ${name}`,
        targetFieldIcon: "Icon",
        type,
      },
    });
    expect(field).toMatchObject({ name, type: "RELATION", objectMetadataId: person.id, relation: { type } });
    const there = (await objectOf(target)).fields.find(
      (each) => each["name"] === `other${name.charAt(0).toUpperCase()}${name.slice(1)}`,
    );
    expect(there).toMatchObject({
      relation: {
        type: type === "MANY_TO_ONE" ? "ONE_TO_MANY" : "MANY_TO_ONE",
        targetFieldMetadata: { id: field.id, name },
      },
    });
  });
});

describe("a refusal", () => {
  test.each<[string, string, unknown, number, string]>([
    ["GET", "metadata/objects/not-a-uuid", undefined, 400, "it takes a UUID"],
    ["GET", `metadata/objects/${createId()}`, undefined, 404, "There is no object"],
    ["GET", `metadata/fields/${createId()}`, undefined, 404, "There is no field"],
    ["PATCH", `metadata/fields/${createId()}`, { label: "L" }, 404, "There is no field"],
    ["GET", "metadata/objects?starting_after=nonsense", undefined, 400, "takes the id of an item"],
    ["GET", `metadata/objects?starting_after=${createId()}`, undefined, 400, "not one of this list"],
    [
      "GET",
      `metadata/objects?starting_after=${createId()}&ending_before=${createId()}`,
      undefined,
      400,
      "exclude each other",
    ],
    ["POST", "metadata/objects", { nameSingular: "" }, 400, "namePlural"],
    [
      "POST",
      "metadata/objects",
      { nameSingular: "Rocket", namePlural: "rockets" },
      400,
      "nameSingular: takes camelCase",
    ],
    ["POST", "metadata/objects", { nameSingular: "person", namePlural: "persons" }, 400, 'is called "person" already'],
    [
      "POST",
      "metadata/fields",
      { objectMetadataId: createId(), type: "TEXT", name: "x" },
      400,
      "is the id of no object",
    ],
    ["DELETE", "metadata/objects", undefined, 405, "Use GET, HEAD, POST"],
    ["GET", "metadata/views", undefined, 404, 'There is no object "metadata"'],
  ])("%s %s %j: %i", async (method, path, sent, status, message) => {
    const answer = await call(method, path, sent);
    expect(answer).toMatchObject({ status, body: { statusCode: status, messages: [expect.any(String)] } });
    expect((answer.body["messages"] as string[]).join(" ")).toContain(message);
  });

  test("names the type that a field cannot have, and says why a field of every object stays", async () => {
    const { id, fields } = await objectOf("note");
    const body = { objectMetadataId: id, name: "x", label: "X" };
    expect(await call("POST", "metadata/fields", { ...body, type: "FILES" })).toMatchObject({
      status: 400,
      body: { messages: [expect.stringMatching(/^type: is "FILES"; there are TEXT, NUMBER/)] },
    });
    const createdAt = fields.find(({ name }) => name === "createdAt")!;
    expect(await call("DELETE", `metadata/fields/${createdAt.id}`)).toMatchObject({
      status: 400,
      body: { detail: 'The field "createdAt" cannot be changed: every object has it.' },
    });
  });
});

test("the metadata's OpenAPI document is valid and has every route", async () => {
  const { status, body } = await call("GET", "open-api/metadata");
  expect(status).toBe(200);
  expect(await new Validator().validate(structuredClone(body))).toEqual({ valid: true });
  expect(Object.keys(body["paths"] as JsonObject)).toEqual([
    "/metadata/objects",
    "/metadata/objects/{id}",
    "/metadata/fields",
    "/metadata/fields/{id}",
  ]);
});
