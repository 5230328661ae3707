import { setTimeout as sleep } from "node:timers/promises";
import type { Product } from "../product.ts";
import { companyOf, idOf, people } from "./rows.ts";

const writers = 20;
const readers = 20;
/** Each of them works as a person does: with a moment between one thing and the next. */
const pauseMs = 50;
const patienceMs = 900_000;

/** What is asked of a table of a million rows while others write and read. */
const changes = [
  {
    what: "a field",
    method: "POST",
    path: "fields",
    body: { name: "score", type: "NUMBER", defaultValue: 0, required: true },
  },
  { what: "an index", method: "POST", path: "indexes", body: { fields: ["city", "name.lastName"], unique: false } },
  { what: "a unique constraint", method: "PATCH", path: "fields/phones", body: { unique: true } },
  { what: "a relation", method: "POST", path: "fields", body: { name: "mentor", type: "RELATION", object: "person" } },
] as const;

export interface LiveChange {
  /** The longest that one write or read took while the table was changed. */
  readonly worstWaitMs: number;
  readonly failures: number;
  /** How many writes and reads there were. */
  readonly calls: number;
  /** How long each change took. */
  readonly seconds: Readonly<Record<string, number>>;
}

/** Changes the table of people while 20 write and 20 read. */
export async function measureLiveChange(product: Product): Promise<LiveChange> {
  const work = keepWorking(product);
  const seconds: Record<string, number> = {};
  for (const { what, method, path, body } of changes) {
    const begun = performance.now();
    const answer = await product.send({
      method,
      path: `/api/objects/person/${path}`,
      body: JSON.stringify(body),
      timeoutMs: patienceMs,
    });
    if (answer.status >= 300) {
      await work.stop();
      throw new Error(`To make ${what} was refused with ${answer.status}: ${JSON.stringify(answer.body)}`);
    }
    seconds[what] = (performance.now() - begun) / 1_000;
  }
  return { ...(await work.stop()), seconds };
}

function keepWorking(product: Product): { stop(): Promise<Omit<LiveChange, "seconds">> } {
  const seen = { worstWaitMs: 0, failures: 0, calls: 0, first: "" };
  let working = true;
  const keepCalling = async (call: (turn: number) => Promise<{ status: number; body: unknown }>): Promise<void> => {
    for (let turn = 0; working; turn++) {
      const begun = performance.now();
      const fault = await call(turn).then(
        ({ status, body }) => (status < 300 ? "" : `${status} ${JSON.stringify(body)}`),
        (error: unknown) => String(error),
      );
      seen.worstWaitMs = Math.max(seen.worstWaitMs, performance.now() - begun);
      seen.calls += 1;
      if (fault !== "") {
        seen.failures += 1;
        seen.first ||= fault;
      }
      await sleep(pauseMs);
    }
  };
  const all = Promise.all([
    ...Array.from({ length: writers }, (_, i) => keepCalling((turn) => write(product, i, turn))),
    ...Array.from({ length: readers }, (_, i) => keepCalling((turn) => read(product, i * 7_919 + turn * 104_729))),
  ]);
  return {
    async stop() {
      working = false;
      await all;
      const { first, ...counted } = seen;
      if (first !== "") process.stderr.write(`The first that failed: ${first}\n`);
      return counted;
    },
  };
}

/** In turns a new person and a change to one that is there. */
function write(product: Product, writer: number, turn: number) {
  const number = writer * 1_000_000 + turn;
  if (turn % 2 === 1)
    return product.call("PATCH", `/rest/people/${idOf("person", 1 + ((number * 31) % people))}`, {
      city: `City ${turn}`,
    });
  return product.call("POST", "/rest/people", {
    name: { firstName: "Live", lastName: `Writer ${writer}` },
    emails: { primaryEmail: `live-${number}@live.example` },
    phones: { primaryPhoneNumber: `77${number}`, primaryPhoneCallingCode: "+49" },
  });
}

/** In turns one by its id, by its e-mail, and the newest. */
function read(product: Product, number: number) {
  const person = 1 + (number % people);
  const email = `person-${person}@company-${companyOf(person)}.example`;
  const queries = [`/${idOf("person", person)}`, `?filter=emails.primaryEmail[eq]:${encodeURIComponent(`"${email}"`)}`];
  return product.call("GET", `/rest/people${queries[number % 3] ?? "?order_by=createdAt[DescNullsLast]&limit=20"}`);
}
