import { z } from "zod";
import { percentile } from "../load.ts";
import type { Product } from "../product.ts";
import type { Instance } from "./instance.ts";
import { companyOf, people } from "./rows.ts";

const asked = 200;
const warmUps = 20;
const pageSize = 20;
const deepPage = 5_000;

/** What the API took at the 95th percentile, and what the bare statement took. */
export interface Measured {
  readonly p95Ms: number;
  readonly bareP95Ms: number;
}

const page = z.object({
  data: z.object({ people: z.array(z.object({ id: z.string() })) }),
  pageInfo: z.object({ hasNextPage: z.boolean(), endCursor: z.string().nullable() }),
});

interface Question {
  /** Query of the list. */
  query(number: number): Readonly<Record<string, string>>;
  /** The same as one statement that gives the records' columns. */
  readonly statement: string;
  values(number: number): readonly unknown[];
  /** How many records it must find at least. */
  readonly finds: number;
}

/** One person by the unique field. */
export async function measureUnique({ product, sql, schema }: Instance): Promise<Measured> {
  const emailOf = (number: number): string => {
    const person = 1 + ((number * 7_919) % people);
    return `person-${person}@company-${companyOf(person)}.example`;
  };
  return measure(
    { product, sql, schema },
    {
      query: (number) => ({ filter: `emails.primaryEmail[eq]:"${emailOf(number)}"` }),
      statement: `select * from ${schema}.person where nullif(lower(emails ->> 'primaryEmail'), '') = $1 and deleted_at is null`,
      values: (number) => [emailOf(number)],
      finds: 1,
    },
  );
}

const titles = ["Analyst", "Designer", "Engineer", "Manager", "Writer"];
const dayMs = 86_400_000;
const newestFirst = "createdAt[DescNullsLast]";

/** People with one of two titles, since a day of the last two years, the newest first. */
export async function measureFilter(instance: Instance): Promise<Measured> {
  const since = (number: number): string => new Date(Date.now() - (30 + (number % 700)) * dayMs).toISOString();
  const two = (number: number): string[] => [0, 1].map((i) => titles[(number + i) % titles.length] ?? "");
  return measure(instance, {
    query: (number) => ({
      filter: `jobTitle[in]:["${two(number).join('","')}"],createdAt[gte]:"${since(number)}",companyId[is]:NOT_NULL`,
      order_by: newestFirst,
    }),
    statement: `select * from ${instance.schema}.person where job_title = any ($1::text[]) and created_at >= $2 and company_id is not null
      and deleted_at is null order by created_at desc, id desc limit ${pageSize}`,
    values: (number) => [two(number), since(number)],
    finds: pageSize,
  });
}

/** From a word that every record has to a name that few have; the last word is the beginning of one. */
const searches = [
  "example",
  "john",
  "Zoë Grünach",
  "berlin",
  "an",
  "karin linddal",
  "ulla schönman prague",
  "person 424242",
  "strandwood ny",
  "émile",
];

/** People by words, the best matches first. */
export async function measureSearch(instance: Instance): Promise<Measured> {
  const { sql, schema } = instance;
  const wordsOf = (number: number): string => searches[number % searches.length] ?? "";
  const { rows } = await sql.query<{ words: string }>(
    `select pg_get_indexdef(indexrelid, 1, false) as words from pg_index
     where indrelid = '${schema}.person'::regclass and pg_get_indexdef(indexrelid) like '%tsvector%'`,
  );
  return measure(instance, {
    query: (number) => ({ search: wordsOf(number) }),
    statement: `select * from ${schema}.person where ${rows[0]?.words ?? "null"} @@ tandem.search_query($1, true) and deleted_at is null limit ${pageSize}`,
    values: (number) => [wordsOf(number)],
    finds: 0,
  });
}

async function measure({ product, sql }: Instance, question: Question): Promise<Measured> {
  const own: number[] = [];
  const bare: number[] = [];
  for (let number = asked; number < asked + warmUps; number++) await list(product, question.query(number));
  for (let number = 0; number < asked; number++) {
    const begun = performance.now();
    const found = await list(product, question.query(number));
    own.push(performance.now() - begun);
    if (found.data.people.length < question.finds)
      throw new Error(`Too few were found by ${JSON.stringify(question.query(number))}.`);
    const bareBegun = performance.now();
    await sql.query(question.statement, [...question.values(number)]);
    bare.push(performance.now() - bareBegun);
  }
  return { p95Ms: at95(own), bareP95Ms: at95(bare) };
}

function at95(values: number[]): number {
  return percentile(
    values.toSorted((a, b) => a - b),
    0.95,
  );
}

async function list(product: Product, query: Readonly<Record<string, string>>): Promise<z.output<typeof page>> {
  const parameters = new URLSearchParams({ ...query, limit: String(pageSize) });
  const { status, body } = await product.call("GET", `/rest/people?${parameters.toString()}`);
  if (status !== 200) throw new Error(`The list was refused with ${status}: ${JSON.stringify(body)}`);
  return page.parse(body);
}

export interface Depth {
  readonly firstPageMs: number;
  readonly deepPageMs: number;
  /** The bare statement of the deep page, by its place in the order. */
  readonly bareMs: number;
}

/** The first page and the 5,000th, the newest first, by the cursors that the pages between give. */
export async function measureDepth({ product, sql, schema }: Instance): Promise<Depth> {
  const order = { order_by: newestFirst };
  const seen = new Set<string>();
  let query: Readonly<Record<string, string>> = order;
  for (let number = 1; number < deepPage; number++) {
    const { data, pageInfo } = await list(product, query);
    for (const { id } of data.people) seen.add(id);
    query = { ...order, starting_after: pageInfo.endCursor ?? "" };
  }
  if (seen.size !== (deepPage - 1) * pageSize)
    throw new Error(`${deepPage - 1} pages hold ${seen.size} people, and not ${(deepPage - 1) * pageSize}.`);
  const [first, deep, bare]: [number[], number[], number[]] = [[], [], []];
  const { rows } = await sql.query<{ created: Date; id: string }>(
    `select created_at as created, id from ${schema}.person where id = $1`,
    [[...seen].at(-1)],
  );
  const bareDeep = (): Promise<unknown> =>
    sql.query(
      `select * from ${schema}.person where (created_at, id) < ($1, $2) and deleted_at is null
       order by created_at desc, id desc limit ${pageSize}`,
      [rows[0]?.created, rows[0]?.id],
    );
  for (let turn = 0; turn < asked / 2; turn++) {
    first.push(await timed(() => list(product, order)));
    deep.push(await timed(() => list(product, query)));
    bare.push(await timed(bareDeep));
  }
  return { firstPageMs: middle(first), deepPageMs: middle(deep), bareMs: middle(bare) };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

function middle(values: number[]): number {
  return percentile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}
