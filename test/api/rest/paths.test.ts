import { OpenAPIRegistry, OpenApiGeneratorV31 } from "@asteasolutions/zod-to-openapi";
import { expect, test } from "vitest";
import { operations } from "../../../src/api/rest/operations.ts";
import { restPaths } from "../../../src/api/rest/paths.ts";
import { startRest } from "./support.ts";

const methods = ["get", "post", "put", "patch", "delete"] as const;

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
  const paths = Object.entries(describeAll().paths ?? {});
  expect(paths).toHaveLength(11);
  for (const [path, item] of paths) {
    const described = Object.keys(item).map((method) => method.toUpperCase());
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
  for (const { path, method, query } of operations) {
    const described = (paths?.[`/rest${path}`]?.[method]?.parameters ?? []).flatMap((parameter) =>
      "name" in parameter && parameter.in === "query" ? [parameter.name] : [],
    );
    expect(described).toEqual(Object.keys(query.shape));
  }
});
