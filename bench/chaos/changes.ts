import { z } from "zod";
import { createId } from "../../src/ids.ts";
import { activate } from "../api.ts";
import type { Product } from "../product.ts";
import { insist } from "./insist.ts";
import { marking, type Pace, type Trial } from "./trial.ts";

/** A person that was written by the API. */
export interface Written {
  readonly id: string;
  readonly email: string;
}

const refusal = z.object({ messages: z.array(z.string()) });

/**
 * Record events: one workflow listens to people who are made, by the API and by the runs of the forms,
 * another to those who become directors.
 */
export async function createChanges(
  product: Product,
  { people, emailsOfForms }: { people: number; emailsOfForms(): readonly string[] },
): Promise<Trial & { readonly written: readonly Written[] }> {
  const created = { id: "made", kind: "record-event", objects: ["person"], events: ["created"] };
  await activate(product, marking("welcome", created, "welcome {{ trigger.record.emails.primaryEmail }}"));
  const became = {
    id: "became",
    kind: "record-event",
    objects: ["person"],
    events: ["updated"],
    condition: { field: "jobTitle", operator: "became", value: "Director" },
  };
  await activate(product, marking("promoted", became, "promoted {{ trigger.record.emails.primaryEmail }}"));
  const written: Written[] = [];
  const promoted: string[] = [];

  async function write(number: number): Promise<void> {
    // The id is the writer's, so that a write whose answer was lost is not made twice.
    const person = { id: createId(), email: `grace-${number}@chaos.example` };
    const body = { id: person.id, emails: { primaryEmail: person.email }, jobTitle: "Engineer" };
    await insist(person.email, () => makeOnce(product, body), [201]);
    written.push(person);
    const path = `/rest/people/${person.id}`;
    await insist(path, () => product.call("PATCH", path, { jobTitle: "Director" }), [200]);
    promoted.push(person.email);
    // A change that is no event, and one that is another's.
    await insist(path, () => product.call("PATCH", path, { jobTitle: "Director", city: "Paris" }), [200]);
  }

  return {
    written,
    async start(pace: Pace) {
      for (let number = 0; number < people; number++) {
        await pace.pause(people);
        await write(number);
      }
    },
    marks: () => [
      ...[...emailsOfForms(), ...written.map(({ email }) => email)].map((email) => `welcome ${email}`),
      ...promoted.map((email) => `promoted ${email}`),
    ],
  };
}

/** 201 too where an earlier try, whose answer was lost, has made it. */
async function makeOnce(product: Product, body: { id: string }) {
  const answer = await product.call("POST", "/rest/people", body);
  if (answer.status === 201 || !refusal.safeParse(answer.body).success) return answer;
  const found = await product.call("GET", `/rest/people/${body.id}`);
  return found.status === 200 ? { ...answer, status: 201 } : answer;
}
