import { describe, expect, test } from "vitest";
import { createId } from "../../src/ids.ts";
import { inTransaction } from "../../src/sql.ts";
import { forgetOldValues } from "../../src/vault/secret-values.ts";
import { deleteSecret, findSecret, holdSecretNames, listSecrets } from "../../src/vault/secrets.ts";
import { createVault } from "../../src/vault/vault.ts";
import { createTestDatabase } from "../support/database.ts";
import { insertWorkflow, insertWorkspace } from "../support/rows.ts";
import { until } from "../support/until.ts";
import { createTestVault, testMasterKeys } from "../support/vault.ts";

const { pool } = await createTestDatabase();
const workspaceId = await insertWorkspace(pool);
const hourMs = 3_600_000;

/** A vault that has opened nothing yet. */
const fresh = () => createTestVault(pool);
let made = 0;
const create = (value: string, wanted: { workspaceId?: string; name?: string } = {}) =>
  fresh().create({ workspaceId, name: `SECRET_${(made += 1)}`, value, ...wanted });

async function valuesOf(name: string, vault = fresh()): Promise<string[]> {
  const opened = await vault.openSecrets(workspaceId, [name]);
  return (opened.get(name) ?? []).map(String);
}

/** Makes a workflow whose webhook names a secret. */
async function use(name: string, key: string): Promise<string> {
  const { workflowId, versionId } = await insertWorkflow(pool, workspaceId, key);
  await pool.query(
    `insert into tandem.triggers (workflow_id, trigger_id, workspace_id, kind, settings, version_id)
     values ($1, 'hook', $2, 'webhook', $3, $4)`,
    [workflowId, workspaceId, { authentication: { kind: "stripe", secret: name } }, versionId],
  );
  return workflowId;
}

test("a value is opened as it was written", async () => {
  const value = "pa/ss wörd\nof two lines 😀";
  const { name } = await create(value);
  expect(await valuesOf(name)).toEqual([value]);
});

test("names without a secret, and other workspaces, give nothing", async () => {
  const { name } = await create("a value of ours");
  const other = await insertWorkspace(pool);
  expect(await fresh().openSecrets(workspaceId, [])).toEqual(new Map());
  expect(await fresh().openSecrets(workspaceId, ["NOWHERE"])).toEqual(new Map());
  expect(await fresh().openSecrets(other, [name])).toEqual(new Map());
  expect([...(await fresh().openSecrets(workspaceId, [name, "NOWHERE"])).keys()]).toEqual([name]);
});

describe("a new value", () => {
  test("counts first, and the one before is taken for as long as was said", async () => {
    const { id, name } = await create("the first value");
    const before = Date.now();
    const rotated = await fresh().rotate({ workspaceId, id, value: "the second value", overlapMs: hourMs });
    expect(await valuesOf(name)).toEqual(["the second value", "the first value"]);
    expect(rotated?.lastFour).toBe("alue");
    expect(rotated?.previousValidUntil?.getTime()).toBeGreaterThan(before + hourMs - 60_000);
    expect(rotated?.previousValidUntil?.getTime()).toBeLessThan(Date.now() + hourMs + 60_000);
    await pool.query(
      "update tandem.secret_values set valid_until = now() where secret_id = $1 and valid_until is not null",
      [id],
    );
    expect(await valuesOf(name)).toEqual(["the second value"]);
    expect((await findSecret(pool, { workspaceId, id }))?.previousValidUntil).toBeNull();
    await forgetOldValues(pool);
    const { rows } = await pool.query("select version from tandem.secret_values where secret_id = $1", [id]);
    expect(rows).toEqual([{ version: 2 }]);
  });

  test("is opened, in whatever case the secret's id was written", async () => {
    const { id, name } = await create("the first value");
    await fresh().rotate({ workspaceId, id: id.toUpperCase(), value: "the second value", overlapMs: hourMs });
    expect(await valuesOf(name)).toEqual(["the second value", "the first value"]);
  });

  test("may leave the one before no time at all", async () => {
    const { id, name } = await create("the first value");
    const rotated = await fresh().rotate({ workspaceId, id, value: "the second value", overlapMs: 0 });
    expect(rotated?.previousValidUntil).toBeNull();
    expect(await valuesOf(name)).toEqual(["the second value"]);
  });

  test("leaves two at most", async () => {
    const { id, name } = await create("value 1 of it");
    for (const value of ["value 2 of it", "value 3 of it"])
      await fresh().rotate({ workspaceId, id, value, overlapMs: hourMs });
    expect(await valuesOf(name)).toEqual(["value 3 of it", "value 2 of it"]);
  });

  test("sent again changes nothing: the one before is still taken", async () => {
    const { id, name } = await create("the first value");
    const wish = { workspaceId, id, value: "the second value", overlapMs: hourMs };
    const first = await fresh().rotate(wish);
    expect(await fresh().rotate(wish)).toEqual(first);
    expect(await fresh().rotate({ ...wish, overlapMs: 24 * hourMs })).toEqual(first);
    expect(await valuesOf(name)).toEqual(["the second value", "the first value"]);
  });

  test("sent again with less time ends that of the one before", async () => {
    const { id, name } = await create("the first value");
    const wish = { workspaceId, id, value: "the second value" };
    await fresh().rotate({ ...wish, overlapMs: hourMs });
    expect((await fresh().rotate({ ...wish, overlapMs: 0 }))?.previousValidUntil).toBeNull();
    expect(await valuesOf(name)).toEqual(["the second value"]);
  });

  test("is one of those that came at once, with one before it", async () => {
    const { id, name } = await create("value 0 of it");
    const values = Array.from({ length: 8 }, (_, place) => `value ${place + 1} of it`);
    await Promise.all(values.map((value) => fresh().rotate({ workspaceId, id, value, overlapMs: hourMs })));
    const opened = await valuesOf(name);
    expect(opened).toHaveLength(2);
    expect(values).toEqual(expect.arrayContaining(opened));
    const { rows } = await pool.query("select version from tandem.secrets where id = $1", [id]);
    expect(rows).toEqual([{ version: 9 }]);
  });

  test("writes over one that cannot be opened any more", async () => {
    const { id, name } = await create("the first value");
    await pool.query("update tandem.secret_values set sealed = '\\x00' where secret_id = $1", [id]);
    await expect(valuesOf(name)).rejects.toMatchObject({ status: 503 });
    await fresh().rotate({ workspaceId, id, value: "the second value", overlapMs: 0 });
    expect(await valuesOf(name)).toEqual(["the second value"]);
  });

  test("is known to a vault that has opened the old one within a second or two", async () => {
    const { id, name } = await create("the first value");
    const vault = fresh();
    expect(await valuesOf(name, vault)).toEqual(["the first value"]);
    await fresh().rotate({ workspaceId, id, value: "the second value", overlapMs: 0 });
    await until("the new value", async () => (await valuesOf(name, vault))[0] === "the second value", 2_000);
  });
});

test("what is asked for again at once is neither read nor opened again", async () => {
  const { name } = await create("a value of ours");
  const vault = fresh();
  const [first, second] = await Promise.all([
    vault.openSecrets(workspaceId, [name]),
    vault.openSecrets(workspaceId, [name]),
  ]);
  expect(second).toBe(first);
  expect(await vault.openSecrets(workspaceId, [name])).toBe(first);
});

describe("values that were moved about in the database", () => {
  const swap = (one: string, two: string, columns: string) =>
    pool.query(
      `update tandem.secret_values v set (${columns}) = (select ${columns} from tandem.secret_values o
         where o.secret_id = case when v.secret_id = $1 then $2::uuid else $1::uuid end)
       where v.secret_id in ($1::uuid, $2::uuid)`,
      [one, two],
    );

  test.each(["data_key, sealed", "data_key, master_key_id", "sealed, master_key_id"])(
    "are not opened under another name or in another workspace: %s",
    async (columns) => {
      const other = await insertWorkspace(pool);
      const ours = await create("a value of ours");
      const named = await create("another of ours");
      await swap(ours.id, named.id, columns);
      const theirs = await create("a value of theirs", { workspaceId: other, name: ours.name });
      const third = await create("a third of ours");
      await swap(theirs.id, third.id, columns);
      for (const { name } of [ours, named, third])
        await expect(valuesOf(name)).rejects.toMatchObject({ status: 503, code: "secret-unreadable" });
      await expect(fresh().openSecrets(other, [ours.name])).rejects.toMatchObject({ status: 503 });
    },
  );

  test("are not opened when the secret itself is given another name or workspace", async () => {
    const other = await insertWorkspace(pool);
    const { id, name } = await create("a value of ours");
    await pool.query("update tandem.secrets set name = 'RENAMED' where id = $1", [id]);
    await expect(valuesOf("RENAMED")).rejects.toMatchObject({ status: 503 });
    await pool.query("update tandem.secrets set name = $2, workspace_id = $3 where id = $1", [id, name, other]);
    await expect(fresh().openSecrets(other, [name])).rejects.toMatchObject({ status: 503 });
  });

  test("are not opened as a newer version of themselves", async () => {
    const { id, name } = await create("the first value");
    await pool.query("update tandem.secret_values set version = 7 where secret_id = $1", [id]);
    await expect(valuesOf(name)).rejects.toMatchObject({ status: 503 });
  });
});

test("a vault with another master key opens nothing, and says so, to strangers not of which secret", async () => {
  const { name } = await create("a value of ours");
  const other = createVault({ pool, masterKeys: testMasterKeys(9) });
  await expect(other.openSecrets(workspaceId, [name])).rejects.toThrow(
    /^(?!.*SECRET_)A secret that is needed here cannot be opened: it was sealed with another master key/,
  );
});

describe("a secret", () => {
  test("shows its end only where that tells little of it", async () => {
    expect((await create("12345678901")).lastFour).toBeNull();
    expect((await create("123456789012")).lastFour).toBe("9012");
    expect((await create("12345678😀😀😀😀")).lastFour).toBe("😀😀😀😀");
  });

  test("has a name of its own in its workspace", async () => {
    const { name } = await create("a value of ours");
    await expect(create("another of ours", { name })).rejects.toMatchObject({ status: 409, code: "secret-exists" });
    await create("a value of theirs", { name, workspaceId: await insertWorkspace(pool) });
    expect(await valuesOf(name)).toEqual(["a value of ours"]);
  });

  test("is made once by those that make it at once", async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 6 }, (_, place) => create(`value ${place} of it`, { name: "AT_ONCE" })),
    );
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await valuesOf("AT_ONCE")).toHaveLength(1);
  });

  test("names the triggers that use it, active or not", async () => {
    const { id, name } = await create("a value of ours");
    const first = await use(name, "first");
    const second = await use(name, "second");
    await use("ANOTHER", "third");
    await pool.query("update tandem.workflows set status = 'inactive' where id = $1", [second]);
    expect((await findSecret(pool, { workspaceId, id }))?.usedBy).toEqual([
      { workflowId: first, workflow: "first", trigger: "hook", active: true },
      { workflowId: second, workflow: "second", trigger: "hook", active: false },
    ]);
    const listed = await listSecrets(pool, { workspaceId, limit: 1_000 });
    expect(listed.find((secret) => secret.id === id)?.usedBy).toHaveLength(2);
  });

  test("stays while an active workflow uses it", async () => {
    const { id, name } = await create("a value of ours");
    const workflowId = await use(name, "keeps-it");
    await expect(deleteSecret(pool, { workspaceId, id })).rejects.toMatchObject({
      status: 409,
      code: "secret-in-use",
      message: `Active workflows use ${name}: keeps-it (hook). Deactivate them, or let them use another secret.`,
    });
    await pool.query("update tandem.workflows set status = 'inactive' where id = $1", [workflowId]);
    expect(await deleteSecret(pool, { workspaceId, id })).toMatchObject({ id, name });
    expect(await valuesOf(name)).toEqual([]);
    const { rows } = await pool.query("select version from tandem.secret_values where secret_id = $1", [id]);
    expect(rows).toEqual([]);
  });

  test("stays where a workflow that uses it is activated while it is deleted", async () => {
    const { id, name } = await create("a value of ours");
    const deleted = await inTransaction(pool, async (sql) => {
      expect(await holdSecretNames(sql, workspaceId)).toContain(name);
      const deleting = deleteSecret(pool, { workspaceId, id }).catch((error: unknown) => error);
      await until("the deletion waits", async () => {
        const { rows } = await pool.query(
          "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        );
        return rows.length > 0;
      });
      // A new value is not held up by it.
      await fresh().rotate({ workspaceId, id, value: "another of ours", overlapMs: 0 });
      await use(name, "activated-meanwhile");
      return { deleting };
    });
    expect(await deleted.deleting).toMatchObject({ status: 409, code: "secret-in-use" });
    expect(await valuesOf(name)).toEqual(["another of ours"]);
  });

  test("that is not there is neither changed nor deleted", async () => {
    const other = await insertWorkspace(pool);
    const { id, name } = await create("a value of ours");
    for (const strange of [
      { workspaceId: other, id },
      { workspaceId, id: createId() },
    ]) {
      expect(await fresh().rotate({ ...strange, value: "a value of theirs", overlapMs: 0 })).toBeUndefined();
      expect(await deleteSecret(pool, strange)).toBeUndefined();
      expect(await findSecret(pool, strange)).toBeUndefined();
    }
    expect(await valuesOf(name)).toEqual(["a value of ours"]);
  });
});
