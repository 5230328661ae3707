import { OpenAPIRegistry, OpenApiGeneratorV31 } from "@asteasolutions/zod-to-openapi";
import { expect, test } from "vitest";
import { restPaths } from "../../../src/api/rest/paths.ts";
import { deleteQuery, listQuery, recordQuery } from "../../../src/api/rest/query.ts";
import { startRest } from "./support.ts";

const methods = ["get", "post", "put", "patch", "delete"];

function describeAll() {
  const registry = new OpenAPIRegistry();
  for (const path of restPaths) registry.registerPath(path);
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: "3.1.0",
    info: { title: "Records", version: "1" },
  });
}

test("what is described is what is served: every other method is refused with what is allowed", async () => {
  const { call } = await startRest();
  for (const path of ["/rest/{plural}", "/rest/{plural}/{id}"]) {
    const described = Object.keys(describeAll().paths?.[path] ?? {}).map((method) => method.toUpperCase());
    const url = path.replace("/rest/", "").replace("{plural}", "people").replace("{id}", "x");
    const { headers } = await call("OPTIONS", url);
    const allowed = (headers.get("allow") ?? "").split(", ").filter((method) => method !== "HEAD");
    expect(allowed.toSorted()).toEqual(described.toSorted());
    for (const method of methods.filter((name) => !described.includes(name.toUpperCase())))
      expect((await call(method.toUpperCase(), url)).status).toBe(405);
  }
});

test("every parameter is described", () => {
  const { paths } = describeAll();
  const query = (method: "get" | "delete", path: string): unknown[] =>
    (paths?.[path]?.[method]?.parameters ?? []).flatMap((parameter) =>
      "name" in parameter && parameter.in === "query" ? [[parameter.name, typeof parameter.schema]] : [],
    );
  const named = (shape: object): unknown[] => Object.keys(shape).map((name) => [name, "object"]);
  expect(query("get", "/rest/{plural}")).toEqual(named(listQuery.shape));
  expect(query("get", "/rest/{plural}/{id}")).toEqual(named(recordQuery.shape));
  expect(query("delete", "/rest/{plural}/{id}")).toEqual(named(deleteQuery.shape));
});
