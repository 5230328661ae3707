import { setTimeout as delay } from "node:timers/promises";

/**
 * Asks again and again until `ask` answers something true, and gives that. Throws after `limitMs`,
 * with what was waited for and the last answer or error.
 */
export async function until<T>(what: string, ask: () => Promise<T> | T, limitMs = 20_000): Promise<NonNullable<T>> {
  const end = Date.now() + limitMs;
  for (;;) {
    const answer = await attempt(ask);
    if ("value" in answer && answer.value) return answer.value;
    if (Date.now() > end) {
      const last = "value" in answer ? JSON.stringify(answer.value) : String(answer.error);
      throw new Error(`Waited ${limitMs} ms for: ${what}. Last: ${last}`);
    }
    await delay(50);
  }
}

async function attempt<T>(ask: () => Promise<T> | T): Promise<{ value: T } | { error: unknown }> {
  try {
    return { value: await ask() };
  } catch (error) {
    return { error };
  }
}
