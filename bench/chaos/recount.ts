import { z } from "zod";
import type { Product } from "../product.ts";
import type { Accepted } from "./sender.ts";

/** What is found afterwards at the far end: in `/rest` and in the mailbox, never in the runs' own reports. */
export interface Count {
  readonly accepted: number;
  /** Accepted forms without a person, a company, a task or a mail. */
  readonly lost: readonly string[];
  /** Records beyond one person and one task a form and one company a name. */
  readonly duplicatedRecords: readonly string[];
  /** Forms that were mailed under more than one Message-ID. */
  readonly duplicatedMessageIds: readonly string[];
  /** Mails that arrived more than once under their Message-ID: rare, and allowed. */
  readonly mailCopies: number;
}

const personShape = z.object({ emails: z.object({ primaryEmail: z.string() }) });
const taskShape = z.object({ title: z.string().nullable() });
const companyShape = z.object({ name: z.string().nullable() });
const mails = z.object({ data: z.array(z.object({ subject: z.string(), headers: z.record(z.string(), z.string()) })) });

/** Counts what there is once no run is open. */
export async function recount(product: Product, accepted: readonly Accepted[]): Promise<Count> {
  const people = tally((await listAll(product, "people", personShape)).map((found) => found.emails.primaryEmail));
  const tasks = tally(
    (await listAll(product, "tasks", taskShape)).map((found) => (found.title ?? "").replace(/^Call /, "")),
  );
  const companies = tally((await listAll(product, "companies", companyShape)).map((found) => found.name ?? ""));
  const messageIds = await readMessageIds(product);
  const lost = accepted.flatMap(({ email, company }) => {
    const missing = [
      people.has(email) ? [] : ["person"],
      companies.has(company) ? [] : ["company"],
      tasks.has(email) ? [] : ["task"],
      messageIds.has(email) ? [] : ["mail"],
    ].flat();
    return missing.length > 0 ? [`${email}: ${missing.join(", ")}`] : [];
  });
  const distinct = [...messageIds.values()].map((ids) => new Set(ids));
  return {
    accepted: accepted.length,
    lost,
    duplicatedRecords: [
      ...repeated(people).map((email) => `person ${email}`),
      ...repeated(tasks).map((title) => `task for ${title}`),
      ...repeated(companies).map((name) => `company ${name}`),
    ],
    duplicatedMessageIds: [...messageIds].filter(([, ids]) => new Set(ids).size > 1).map(([email]) => email),
    mailCopies: [...messageIds.values()].flat().length - distinct.reduce((sum, ids) => sum + ids.size, 0),
  };
}

/** Every record of an object. */
export async function listAll<T>(product: Product, plural: string, shape: z.ZodType<T>): Promise<T[]> {
  const page = z.object({
    data: z.object({ [plural]: z.array(shape) }),
    pageInfo: z.object({ hasNextPage: z.boolean(), endCursor: z.string().nullable() }),
  });
  const found: T[] = [];
  let after = "";
  for (;;) {
    const parsed = page.parse((await product.call("GET", `/rest/${plural}?limit=200${after}`)).body);
    found.push(...((parsed.data as Record<string, T[]>)[plural] ?? []));
    if (!parsed.pageInfo.hasNextPage) return found;
    after = `&starting_after=${parsed.pageInfo.endCursor}`;
  }
}

/** Message-IDs of every mail, copies included, by the lead's address in the subject. */
async function readMessageIds(product: Product): Promise<Map<string, string[]>> {
  const { data } = mails.parse((await product.call("GET", "/api/mailbox?limit=10000")).body);
  const found = new Map<string, string[]>();
  for (const { subject, headers } of data) {
    const email = subject.replace(/^New lead: /, "");
    found.set(email, [...(found.get(email) ?? []), headers["message-id"] ?? ""]);
  }
  return found;
}

/** How often each is there. */
export function tally(keys: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

function repeated(counts: ReadonlyMap<string, number>): string[] {
  return [...counts].filter(([, count]) => count > 1).map(([key]) => key);
}
