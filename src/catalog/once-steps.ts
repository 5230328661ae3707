import { at as placeOf, type Issue } from "../errors.ts";
import type { CompiledDefinition } from "../definition/compile.ts";
import { didYouMean } from "../definition/suggest.ts";
import type { Sql } from "../sql.ts";

/** Where the values go of steps that are gone, by the id that each had: to another step, or, null, nowhere. */
export type OnceMoves = Readonly<Record<string, string | null>>;

interface Version {
  readonly workflowId: string;
  readonly compiled: CompiledDefinition;
  readonly moves: OnceMoves;
}

/**
 * Moves the values under which steps were done once to where they go in a version that is to be activated.
 * What is wrong comes as issues: a step that holds values may not be gone until somebody says where they go,
 * since under another id everything would be done again.
 */
export async function moveOnceSteps(sql: Sql, version: Version): Promise<Issue[]> {
  const { workflowId, compiled, moves } = version;
  const held = await countByStep(sql, workflowId);
  const steps = compiled.nodes.map(({ step }) => step.id);
  const gone = [...held].filter(([id]) => !steps.includes(id));
  const issues = [
    ...gone.flatMap(([id, values]) => (Object.hasOwn(moves, id) ? [] : [unsaid(id, values)])),
    ...Object.entries(moves).flatMap(([from, to]) => checkMove(from, to, version)),
  ];
  if (issues.length > 0) return issues;
  for (const [from] of gone) issues.push(...(await move(sql, workflowId, { from, to: moves[from] ?? null })));
  // A step that is there is itself, whatever another of its id was moved to before.
  await sql.query("delete from tandem.once_moves where workflow_id = $1::uuid and step_id = any($2::text[])", [
    workflowId,
    steps,
  ]);
  return issues;
}

async function countByStep(sql: Sql, workflowId: string): Promise<Map<string, number>> {
  const { rows } = await sql.query<{ step: string; values: number }>(
    "select step_id as step, count(*) as values from tandem.once_values where workflow_id = $1::uuid and state <> 'free' group by 1",
    [workflowId],
  );
  return new Map(rows.map(({ step, values }) => [step, values]));
}

function unsaid(id: string, values: number): Issue {
  return {
    path: "steps",
    message: `the step "${id}" is gone, and ${values} values are kept under which it was done once. Say where they go: activate with { "once": { "${id}": "<id of the step that takes its place>" } }, or with null, to forget them`,
  };
}

function checkMove(from: string, to: string | null, { compiled: { nodes } }: Version): Issue[] {
  const path = placeOf("once", from);
  if (nodes.some(({ step }) => step.id === from))
    return [{ path, message: `the step "${from}" is there: its values stay with it` }];
  if (to === null) return [];
  const takers = nodes.filter(({ once }) => once !== undefined).map(({ step }) => step.id);
  if (takers.includes(to)) return [];
  return [{ path, message: `there is no step "${to}" that is done once${didYouMean(to, takers)}` }];
}

/** Runs of older versions find the values where they went: by the id that the step had. */
async function move(sql: Sql, workflowId: string, { from, to }: { from: string; to: string | null }): Promise<Issue[]> {
  if (to === null) {
    await sql.query("delete from tandem.once_values where workflow_id = $1::uuid and step_id = $2::text", [
      workflowId,
      from,
    ]);
    return [];
  }
  const { rows } = await sql.query<{ value: string }>(
    `select a.value from tandem.once_values a join tandem.once_values b using (workflow_id, value)
     where a.workflow_id = $1::uuid and a.step_id = $2::text and b.step_id = $3::text and a.state <> 'free' and b.state <> 'free' limit 1`,
    [workflowId, from, to],
  );
  if (rows[0] !== undefined) {
    const message = `both "${from}" and "${to}" were done under "${rows[0].value}": clear one of the two, by DELETE /api/once/{id}`;
    return [{ path: placeOf("once", from), message }];
  }
  await sql.query(
    `delete from tandem.once_values f where f.workflow_id = $1::uuid and f.state = 'free' and (f.step_id = $2::text or (f.step_id = $3::text
       and exists (select 1 from tandem.once_values o where o.workflow_id = $1 and o.step_id = $2 and o.value = f.value)))`,
    [workflowId, from, to],
  );
  await sql.query(
    "update tandem.once_values set step_id = $3::text where workflow_id = $1::uuid and step_id = $2::text",
    [workflowId, from, to],
  );
  await sql.query(
    "update tandem.once_moves set moved_to = $3::text where workflow_id = $1::uuid and moved_to = $2::text",
    [workflowId, from, to],
  );
  await sql.query(
    `insert into tandem.once_moves (workflow_id, step_id, moved_to) values ($1::uuid, $2::text, $3::text)
     on conflict (workflow_id, step_id) do update set moved_to = excluded.moved_to`,
    [workflowId, from, to],
  );
  return [];
}
