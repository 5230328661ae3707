import { z } from "zod";
import type { Instance } from "./instance.ts";
import { companyOf, people } from "./rows.ts";

const upserted = 10_000;
/** As many as a request takes. */
const rowsOfBatch = 1_000;

/** Seconds that the API and the bare statement took. */
export interface Timed {
  readonly seconds: number;
  readonly bareSeconds: number;
}

interface Row {
  readonly emails: { readonly primaryEmail: string };
  readonly name: { readonly firstName: string; readonly lastName: string };
  readonly city: string;
}

/** Rows of which every other one is there already, by its unique e-mail. */
function rowsFrom(first: number, mark: string): Row[] {
  return Array.from({ length: upserted }, (_, i) => {
    const person = first + i * 37;
    const known = `person-${person}@company-${companyOf(person)}.example`;
    return {
      emails: { primaryEmail: i % 2 === 0 ? known : `${mark}-${i}@upserted.example` },
      name: { firstName: "Upserted", lastName: `${mark} ${i}` },
      city: mark,
    };
  });
}

/** Writes 10,000 people by the e-mail: half of them change, half are new. */
export async function measureUpsert({ product, sql, schema }: Instance): Promise<Timed> {
  const rows = rowsFrom(1, "Batch");
  const begun = performance.now();
  for (let from = 0; from < rows.length; from += rowsOfBatch) {
    const { status, body } = await product.call(
      "POST",
      "/rest/batch/people?upsert=true&match=emails",
      rows.slice(from, from + rowsOfBatch),
    );
    if (status >= 300) throw new Error(`The batch was refused with ${status}: ${JSON.stringify(body).slice(0, 500)}`);
  }
  const seconds = (performance.now() - begun) / 1_000;
  await expectRows({ sql, schema }, "Batch", upserted);
  const bareBegun = performance.now();
  await sql.query(
    `insert into ${schema}.person (id, emails, name, city)
     select gen_random_uuid(), '{"additionalEmails": []}'::jsonb || r.emails, r.name, r.city
     from jsonb_to_recordset($1::jsonb) as r(emails jsonb, name jsonb, city text)
     on conflict (nullif(lower(emails ->> 'primaryEmail'), '')) where deleted_at is null
     do update set name = excluded.name, city = excluded.city, updated_at = clock_timestamp()`,
    [JSON.stringify(rowsFrom(people / 2, "Bare"))],
  );
  return { seconds, bareSeconds: (performance.now() - bareBegun) / 1_000 };
}

const imported = 100_000;
const importSeconds = 600;
const made = z.object({ id: z.string() });

/** Imports a CSV file of new people, and gives rows a second; beside it the bare statement's. */
export async function measureImport({
  product,
  sql,
  schema,
}: Instance): Promise<{ perSecond: number; barePerSecond: number }> {
  const answer = await product.call("POST", "/api/imports", { object: "person", match: ["emails"] });
  if (answer.status !== 201) throw new Error(`The import was refused: ${JSON.stringify(answer.body)}`);
  const { id } = made.parse(answer.body);
  const body = csvOf("Imported");
  const begun = performance.now();
  const sent = await product.send({
    method: "PUT",
    path: `/api/imports/${id}/data`,
    body,
    type: "text/csv",
    timeoutMs: importSeconds * 1_000,
  });
  const seconds = (performance.now() - begun) / 1_000;
  if (sent.status !== 200) throw new Error(`The file was refused with ${sent.status}: ${JSON.stringify(sent.body)}`);
  await expectRows({ sql, schema }, "Imported", imported);
  const bareBegun = performance.now();
  await sql.query(
    `insert into ${schema}.person (id, emails, name, job_title, city)
     select gen_random_uuid(), jsonb_build_object('primaryEmail', 'bare-' || i || '@imported.example', 'additionalEmails', '[]'::jsonb),
       jsonb_build_object('firstName', 'Bare', 'lastName', 'Person ' || i), 'Engineer', 'Bare' from generate_series(1, ${imported}) as i`,
  );
  return { perSecond: imported / seconds, barePerSecond: imported / ((performance.now() - bareBegun) / 1_000) };
}

function csvOf(city: string): string {
  const rows = Array.from(
    { length: imported },
    (_, i) => `Person,Number ${i},${city.toLowerCase()}-${i}@imported.example,Engineer,${city}`,
  );
  return ["First name,Last name,Email,Job title,City", ...rows, ""].join("\n");
}

/** Counts at the far end, before a figure is given. */
async function expectRows(
  { sql, schema }: Pick<Instance, "sql" | "schema">,
  city: string,
  count: number,
): Promise<void> {
  const { rows } = await sql.query<{ count: string }>(
    `select count(*) as count from ${schema}.person where city = $1 and deleted_at is null`,
    [city],
  );
  if (Number(rows[0]?.count) !== count) throw new Error(`${rows[0]?.count} people were written, and not ${count}.`);
}
