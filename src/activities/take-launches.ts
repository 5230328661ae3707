import { ProblemError } from "../errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import { acceptLaunch, recordRefusal } from "../runs/launches/accept.ts";
import { launchIdSchema, parseLaunchRequest } from "../runs/launches/request.ts";
import { sqlState } from "../sql.ts";
import type { LaunchOutcome, LaunchSignal, TakeInput } from "./contract.ts";
import type { Environment } from "./environment.ts";

/** What a reason says in Temporal, at most. */
const longestReason = 300;
const deepest = 64;

/**
 * Makes launches of signals, one after the other, each once however often it is asked: a launch's id is
 * the signal's own. What is none is kept as refused, with the reason. Throws when it cannot be known.
 */
export async function takeLaunches(environment: Environment, input: TakeInput): Promise<readonly LaunchOutcome[]> {
  const outcomes: LaunchOutcome[] = [];
  for (const signal of input.signals) outcomes.push(await takeLaunch(environment, input, signal));
  return outcomes;
}

async function takeLaunch(
  { pool, kinds, log }: Environment,
  { workspaceId, workflowId, launcherId }: TakeInput,
  signal: LaunchSignal,
): Promise<LaunchOutcome> {
  const at = new Date().toISOString();
  const launchedBy = { kind: "signal", launcherId };
  try {
    const asked = parseLaunchRequest(readText(signal));
    const request = { ...asked, launchId: asked.launchId ?? signal.id };
    const { id, launchId, duplicate } = await acceptLaunch(
      pool,
      { kinds },
      { workspaceId, workflowId, request, launchedBy },
    );
    return { at, launchId, status: duplicate ? "repeated" : "launched", id };
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === undefined) throw error;
    log.debug({ err: error, launcherId }, "a signal was no launch");
    const { code, message, issues } = refusal;
    const asked = askedId(signal);
    const reason: JsonObject = {
      code,
      message,
      issues: issues.map(({ path, message: said }) => ({ path, message: said })),
      ...asked,
    };
    await recordRefusal(pool, { workflowId, refusalId: signal.id, launchedBy, error: reason });
    return { at, launchId: signal.id, status: "refused", reason: message.slice(0, longestReason), ...asked };
  }
}

/** The id that a refused signal asked for, where it can be read: by it its sender finds what became of it. */
function askedId(signal: LaunchSignal): { askedId?: string } {
  try {
    const content = readText(signal);
    const { data } = launchIdSchema.safeParse(isJsonObject(content) ? content["launchId"] : undefined);
    return data === undefined ? {} : { askedId: data };
  } catch {
    return {};
  }
}

/** A signal's content. Throws ProblemError for what is no JSON that can be kept. */
function readText({ text, fault }: LaunchSignal): Json {
  if (fault !== undefined) throw unusable(fault);
  if (text.trim() === "") return {};
  const content = parse(text);
  const message = faultOf(content);
  if (message !== undefined) throw unusable(message);
  return content ?? {};
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    const said = error instanceof RangeError ? "it is nested too deeply" : String((error as Error).message);
    throw unusable(`It is not valid JSON: ${said}. Send an object, such as {"inputs": {}}.`);
  }
}

/** Why Postgres cannot keep it. Looked for without recursion: what comes from outside may be nested as it likes. */
function faultOf(content: Json): string | undefined {
  let level: Json[] = [content];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > deepest) return `It is nested more than ${deepest} levels deep.`;
    const texts = level.flatMap((value) => (isJsonObject(value) ? Object.keys(value) : value));
    if (texts.some((text) => typeof text === "string" && (text.includes("\0") || !text.isWellFormed())))
      return "It contains a NUL character or half of a surrogate pair, which is no text.";
    level = level.flatMap((value) => (typeof value === "object" && value !== null ? Object.values(value) : []));
  }
  return undefined;
}

function unusable(message: string): ProblemError {
  return new ProblemError(400, "unusable-signal", message);
}

/** Why it is no launch; undefined where that cannot be said: then it is tried again. */
function refusalOf(error: unknown): ProblemError | undefined {
  if (error instanceof ProblemError) return error;
  const isOfValue = error instanceof RangeError || sqlState(error)?.code.startsWith("22") === true;
  return isOfValue
    ? unusable("A value cannot be kept: it is out of range, or not of the type it must have.")
    : undefined;
}
