import { setTimeout as sleep } from "node:timers/promises";
import type { Answer } from "../http.ts";

const mostTries = 600;
const pauseMs = 200;

/**
 * Sends until it is answered with one of these statuses, as a sender does that retries: parts are down, and
 * answers get lost. Throws at once when it is refused otherwise.
 */
export async function insist(what: string, send: () => Promise<Answer>, accepted: readonly number[]): Promise<Answer> {
  for (let tries = 1; tries <= mostTries; tries++) {
    const answer = await send().catch(() => undefined);
    if (answer !== undefined && accepted.includes(answer.status)) return answer;
    if (answer !== undefined && answer.status < 500)
      throw new Error(`${what} was refused with ${answer.status}: ${JSON.stringify(answer.body)}`);
    await sleep(pauseMs);
  }
  throw new Error(`${what} was not accepted in ${mostTries} tries.`);
}
