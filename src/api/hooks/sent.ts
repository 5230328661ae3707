import type { Json } from "../../json.ts";
import type { NewDelivery } from "../../runs/deliveries.ts";
import { isFormType, mediaType, parseBody } from "../body/parse-body.ts";

/** What a request says. */
export interface Sent {
  readonly body: Json;
  /** Every value came as text, whatever it is meant to be. */
  readonly fromText: boolean;
}

/**
 * What a delivery says: its body; of a GET or HEAD, its query. The same for a request that has just come
 * and for one that is replayed. Throws a ProblemError with 400 or 415.
 */
export async function readSent({
  method,
  headers,
  query,
  body,
}: Pick<NewDelivery, "method" | "headers" | "query" | "body">): Promise<Sent> {
  if (method === "GET" || method === "HEAD") return { body: query, fromText: true };
  const contentType = headers["content-type"];
  return {
    body: await parseBody(body ?? Buffer.alloc(0), contentType),
    fromText: isFormType(mediaType(contentType)),
  };
}
