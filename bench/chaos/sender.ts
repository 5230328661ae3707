import { setTimeout as sleep } from "node:timers/promises";
import { runIdOf } from "../api.ts";
import type { Product } from "../product.ts";
import type { Random } from "./random.ts";

/** One form, posted until it was accepted, as a sender that retries does. */
export interface Accepted {
  readonly number: number;
  readonly email: string;
  readonly runId: string;
  readonly tries: number;
}

const mostTries = 400;

/** Each form is of another person; every fifth company is shared. */
export function formOf(number: number): { email: string; [field: string]: string } {
  return {
    firstName: "Ada",
    lastName: `Number ${number}`,
    email: `ada-${number}@chaos.example`,
    company: `Company ${number % 5}`,
    companyDomain: `company-${number % 5}.example`,
    role: "CTO",
    message: `Message ${number}`,
  };
}

/** Posts `posts` forms, spread over about `seconds`, each until it is accepted. */
export async function sendForms(
  product: Product,
  path: string,
  options: { posts: number; pauseMs: number; random: Random; onAccepted(accepted: Accepted): void },
): Promise<void> {
  const sending: Promise<void>[] = [];
  for (let number = 0; number < options.posts; number++) {
    sending.push(sendForm(product, path, number).then(options.onAccepted));
    await sleep(options.pauseMs * (0.5 + options.random.next()));
  }
  await Promise.all(sending);
}

async function sendForm(product: Product, path: string, number: number): Promise<Accepted> {
  const form = formOf(number);
  // The sender's own key: a post whose answer was lost is posted again under it.
  const body = JSON.stringify({ ...form, submissionId: `form-${number}` });
  for (let tries = 1; tries <= mostTries; tries++) {
    const answer = await product.post(path, body).catch(() => undefined);
    if (answer?.status === 202) return { number, email: form.email, runId: runIdOf(answer.body), tries };
    if (answer !== undefined && answer.status < 500)
      throw new Error(`Form ${number} was refused with ${answer.status}: ${JSON.stringify(answer.body)}`);
    await sleep(150 + (number % 7) * 30);
  }
  throw new Error(`Form ${number} was not accepted in ${mostTries} tries.`);
}
