import { spawn, type ChildProcess } from "node:child_process";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { projectRoot } from "../../src/config.ts";
import { keepMasterKeys, readMasterKeys } from "../../src/vault/master-keys.ts";
import { createVault } from "../../src/vault/vault.ts";
import { createTestDatabase } from "../support/database.ts";
import { createTestFolder } from "../support/folder.ts";
import { insertWorkspace } from "../support/rows.ts";
import { until } from "../support/until.ts";
import { testMasterKey, testMasterKeyText, testMasterKeys } from "../support/vault.ts";

const secrets = 1_000;

/** The command as `npm run rotate-master-key` starts it. */
function start(environment: Record<string, string>): { child: ChildProcess; ended: Promise<[number | null, string]> } {
  const child = spawn(process.execPath, [join(projectRoot, "dist/src/supervisor/rotate-main.js")], {
    env: { PATH: process.env["PATH"], ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const output = Promise.all([text(child.stdout!), text(child.stderr!)]);
  const code = new Promise<number | null>((resolve) => child.once("exit", resolve));
  return { child, ended: Promise.all([code, output]).then(([exit, texts]) => [exit, texts.join("")]) };
}

test(
  "a rotation of a thousand secrets that is killed in the middle is finished by the next, and nobody notices",
  { timeout: 120_000 },
  async () => {
    const { pool, url } = await createTestDatabase();
    const directory = await createTestFolder();
    const source = { given: undefined, directory };
    const before = (await keepMasterKeys(pool, source)).configured;
    const workspaceId = await insertWorkspace(pool);
    // A gateway that has been running since before.
    const vault = createVault({ pool, masterKeys: await readMasterKeys(source) });
    const names = Array.from({ length: secrets }, (_, i) => `SECRET_${i}`);
    for (const name of names) await vault.create({ workspaceId, name, value: `the value of ${name}` });
    const sealedWith = async (id: string): Promise<number> => {
      const { rows } = await pool.query<{ count: number }>(
        "select count(*) from tandem.secret_values where master_key_id = $1",
        [id],
      );
      return rows[0]?.count ?? 0;
    };

    // It comes as far as a row that somebody holds, and is killed there.
    const client = await pool.connect();
    await client.query("begin");
    await client.query(
      "select from tandem.secret_values v join tandem.secrets s on s.id = v.secret_id where s.name = 'SECRET_500' for update of v",
    );
    const killed = start({ DATABASE_URL: url, DATA_DIR: directory });
    await until("it to be held up", async () => {
      const { rows } = await pool.query<{ count: number }>(
        "select count(*) from pg_stat_activity where application_name = 'tandem-rotate-master-key' and wait_event_type = 'Lock'",
      );
      return rows[0]?.count === 1;
    });
    killed.child.kill("SIGKILL");
    expect(await killed.ended).toEqual([null, ""]);
    await client.query("rollback");
    client.release();
    const left = await sealedWith(before.id);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(secrets);
    expect((await readdir(directory)).toSorted()).toEqual(["master-key", "master-key.next"]);

    // Half is sealed with the one, half with the other: a running process and a new one read and write all.
    await vault.create({ workspaceId, name: "MEANWHILE", value: "written meanwhile" });
    for (const each of [vault, createVault({ pool, masterKeys: await keepMasterKeys(pool, source) })])
      expect((await each.openSecrets(workspaceId, names)).size).toBe(secrets);

    const [code, said] = await start({ DATABASE_URL: url, DATA_DIR: directory }).ended;
    const after = (await readMasterKeys(source)).configured;
    expect([code, said]).toEqual([
      0,
      expect.stringContaining(`${left} values are sealed with the master key ${after.id} now.`),
    ]);
    expect(await sealedWith(after.id)).toBe(secrets + 1);
    expect((await readdir(directory)).toSorted()).toEqual(["master-key", `master-key.${before.id}`]);
    expect((await stat(join(directory, "master-key"))).mode & 0o777).toBe(0o600);
    expect(said).not.toContain((await readFile(join(directory, "master-key"), "utf8")).trim());
    for (const each of [vault, createVault({ pool, masterKeys: await readMasterKeys(source) })]) {
      const opened = await each.openSecrets(workspaceId, [...names, "MEANWHILE"]);
      expect(names.filter((name) => String(opened.get(name)?.[0]) !== `the value of ${name}`)).toEqual([]);
      expect(String(opened.get("MEANWHILE")?.[0])).toBe("written meanwhile");
    }
    const { rows } = await pool.query(
      "select actor ->> 'name' as actor, target, outcome from tandem.audit where workspace_id = $1 order by id",
      [workspaceId],
    );
    const call = { actor: "rotate-master-key", target: `/master-key/${after.id}` };
    expect(rows).toEqual([
      { ...call, outcome: null },
      { ...call, outcome: "done" },
    ]);
  },
);

test("with the environment it goes from MASTER_KEY_PREVIOUS to MASTER_KEY, and says when there is nothing to do", async () => {
  const { pool, url } = await createTestDatabase();
  const directory = await createTestFolder();
  const workspaceId = await insertWorkspace(pool);
  const vault = createVault({ pool, masterKeys: testMasterKeys(1) });
  await vault.create({ workspaceId, name: "GIVEN", value: "a value that is kept" });
  const [from, to] = [testMasterKeyText(1), testMasterKeyText(2)];
  const common = { DATABASE_URL: url, DATA_DIR: directory };
  expect(await start({ ...common, MASTER_KEY: from }).ended).toEqual([
    0,
    expect.stringContaining(`Everything is sealed with the master key of MASTER_KEY (${testMasterKey(1).id}) already.`),
  ]);
  expect(await start({ ...common, MASTER_KEY: to }).ended).toEqual([1, expect.stringContaining("another master key")]);
  expect(await start({ ...common, MASTER_KEY: to, MASTER_KEY_PREVIOUS: from }).ended).toEqual([
    0,
    expect.stringContaining("MASTER_KEY_PREVIOUS can go."),
  ]);
  const opened = await createVault({ pool, masterKeys: testMasterKeys(2) }).openSecrets(workspaceId, ["GIVEN"]);
  expect(String(opened.get("GIVEN")?.[0])).toBe("a value that is kept");
  expect(await readdir(directory)).toEqual([]);
});
