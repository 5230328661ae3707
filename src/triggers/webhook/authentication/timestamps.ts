import { refuse, type Refusal } from "./authentication.ts";

/** How a scheme writes the moment of sending, and how far from now it may lie, either way. */
export interface TimestampRule {
  readonly unit: "seconds" | "milliseconds";
  readonly toleranceMs: number;
}

/** What the schemes that name no other tolerance have in common. */
export const usualToleranceMs = 300_000;

const patterns = { seconds: /^\d{1,12}$/, milliseconds: /^\d{1,15}$/ } as const;

/** Digits and nothing else: what is lenient here takes other texts for the one that was signed. */
export function checkForm(text: string, { unit }: TimestampRule): Refusal | undefined {
  if (patterns[unit].test(text)) return undefined;
  return refuse("timestamp-malformed", `The timestamp is not a number of ${unit} since 1970.`);
}

/** Whether a well-formed timestamp is near enough to `now`. In seconds, `now` counts as its whole second. */
export function checkAge(text: string, rule: TimestampRule, now: Date): Refusal | undefined {
  const unitMs = rule.unit === "seconds" ? 1_000 : 1;
  const age = (Math.floor(now.getTime() / unitMs) - Number(text)) * unitMs;
  const off = `${Math.round(Math.abs(age) / 1_000)} s`;
  if (age > rule.toleranceMs)
    return refuse("timestamp-too-old", `It was signed ${off} ago: sent again by somebody, or a clock is wrong.`);
  if (age < -rule.toleranceMs)
    return refuse("timestamp-too-new", `It was signed ${off} in the future: a clock is wrong.`);
  return undefined;
}
