import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findConfiguredTemporal, withOwnTemporal } from "../../src/supervisor/temporal-target.ts";
import { createTestFolder } from "../support/folder.ts";

test("Temporal is brought where no standard variable names one", () => {
  expect(findConfiguredTemporal({})).toBeUndefined();
  expect(findConfiguredTemporal({ TEMPORAL_ADDRESS: "" })).toBeUndefined();
});

test("an address, or a profile in a file that is named, says that there is one", async () => {
  const file = join(await createTestFolder(), "temporal.toml");
  await writeFile(file, '[profile.default]\naddress = "file.example:7233"\n');
  expect(findConfiguredTemporal({ TEMPORAL_ADDRESS: "here.example:7233" })).toBe("here.example:7233");
  expect(findConfiguredTemporal({ TEMPORAL_CONFIG_FILE: file })).toBe("file.example:7233");
});

test("the server that was brought is used without anybody else's keys", () => {
  const environment = withOwnTemporal(
    { PATH: "/bin", TEMPORAL_API_KEY: "secret", TEMPORAL_TLS: "true", TEMPORAL_NAMESPACE: "ours" },
    { address: "127.0.0.1:7", directory: "/data" },
  );
  expect(environment).toEqual({
    PATH: "/bin",
    TEMPORAL_NAMESPACE: "ours",
    TEMPORAL_ADDRESS: "127.0.0.1:7",
    TEMPORAL_CONFIG_FILE: "/data/temporal/none.toml",
  });
});
