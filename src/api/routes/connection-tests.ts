import { z } from "zod";
import { exchangeAuthorized, type HttpParts } from "../../activities/http/exchange.ts";
import { httpInput } from "../../activities/http/input.ts";
import { isSuccess, refusalOf } from "../../activities/http/judge.ts";
import { outgoingOf, storedRequest } from "../../activities/http/request.ts";
import { ProblemError, StepError } from "../../errors.ts";
import { admitCall } from "../../http/admission.ts";
import type { SqlPool } from "../../sql.ts";
import { findConnectionById } from "../../vault/connection-changes.ts";
import type { Connection } from "../../vault/connections.ts";
import { createRedactor } from "../../vault/redactor.ts";
import type { Vault } from "../../vault/vault.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { idParams } from "../schemas.ts";

const answerMs = 15_000;
const answerBytes = 1_048_576;

const wanted = z
  .strictObject({
    path: z.string().max(2_000).default("").meta({ description: "Put behind the base URL; one that changes nothing" }),
    method: z.enum(["GET", "HEAD"]).default("GET"),
  })
  .meta({ id: "ConnectionTest" });
const outcome = z
  .object({
    ok: z.boolean().meta({ description: "Whether the target was reached and let the call in" }),
    status: z.int().nullable().meta({ description: "What it answered; null: it did not" }),
    code: z.string().nullable().meta({ description: "As a step would fail with it" }),
    message: z.string(),
    durationMs: z.number(),
  })
  .meta({ id: "ConnectionTestOutcome" });

interface Parts {
  readonly pool: SqlPool;
  readonly vault: Vault;
  readonly http: HttpParts;
}

/** `POST /api/connections/{id}/test`: calls a connection as a step would. */
export function connectionTestEndpoints(parts: Parts): Endpoint[] {
  return [
    defineEndpoint({
      tag: "Connections",
      method: "post",
      path: "/api/connections/{id}/test",
      summary: "Call a connection as a step would",
      description: "With its authentication, under its limits. What came of it is the answer; it is 200 in any case.",
      params: idParams,
      body: wanted,
      answers: { 200: outcome },
      async handle({ workspace, params: { id }, body }) {
        const connection = await findConnectionById(parts.pool, { workspaceId: workspace.id, id });
        if (connection === undefined)
          throw new ProblemError(404, "connection-not-found", `The workspace has no connection ${id}.`);
        return { body: await tryConnection(parts, connection, body) };
      },
    }),
  ];
}

async function tryConnection(
  parts: Parts,
  connection: Connection,
  asked: z.output<typeof wanted>,
): Promise<z.output<typeof outcome>> {
  const begun = performance.now();
  // Who is called may say back what it was told.
  const hidden = new Set<string>();
  const told = (result: { ok: boolean; status: number | null; code: string | null; message: string }) => ({
    ...result,
    message: createRedactor(hidden).text(result.message),
    durationMs: Math.round(performance.now() - begun),
  });
  try {
    const status = await callConnection(parts, connection, { ...asked, hidden });
    return told({ ok: true, status, code: null, message: `It answered ${status}.` });
  } catch (error) {
    if (error instanceof ProblemError)
      return told({ ok: false, status: null, code: error.code, message: error.message });
    if (!(error instanceof StepError)) throw error;
    const { status } = error.details;
    return told({
      ok: false,
      status: typeof status === "number" ? status : null,
      code: error.code,
      message: error.message,
    });
  }
}

/** The status of its answer. Throws StepError as a step does. */
async function callConnection(
  { pool, vault, http }: Parts,
  connection: Connection,
  { path, method, hidden }: z.output<typeof wanted> & { hidden: Set<string> },
): Promise<number> {
  const signal = AbortSignal.timeout(answerMs);
  const request = storedRequest(httpInput.parse({ connection: connection.key, path, method }), connection);
  const call = {
    ...outgoingOf({ request, query: {}, body: {} }, connection),
    reach: connection,
    certificateAuthority: connection.certificateAuthority,
    repeatable: true,
    signal,
    // The signal ends it before: it is for all that is waited for.
    timeoutMs: 2 * answerMs,
    maximumBytes: answerBytes,
  };
  const conceal = (texts: Iterable<string>): void => {
    for (const text of texts) hidden.add(text);
  };
  const openSecrets = async (names: readonly string[]): Promise<ReadonlyMap<string, string>> => {
    const opened = await vault.openSecrets(connection.workspaceId, names);
    const values = [...opened].map(([name, [value]]): [string, string] => [name, value?.toString() ?? ""]);
    conceal(values.map(([, value]) => value));
    return new Map(values);
  };
  const admit = () => admitCall({ sql: pool, signal, ready: async () => {} }, connection, false);
  const answer = await exchangeAuthorized(http, { signal, openSecrets, conceal, admit }, { call, connection }).catch(
    (error: unknown) => {
      throw isEndedBy(signal, error) ? unanswered(error) : error;
    },
  );
  if (!isSuccess(answer, request)) throw refusalOf(answer, { now: new Date(), redact: createRedactor(hidden).json });
  return answer.status;
}

/** Who waits under a signal throws its reason, or an error of its own that the reason is the cause of. */
function isEndedBy({ aborted, reason }: AbortSignal, error: unknown): boolean {
  return aborted && (error === reason || (error instanceof Error && error.cause === reason));
}

/** It may have been the target, a token's endpoint or the connection's rate that was waited for. */
function unanswered(cause: unknown): StepError {
  return new StepError("timeout", `No answer came within ${answerMs} ms.`, { retryable: true, cause });
}
