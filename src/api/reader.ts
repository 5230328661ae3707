import { ProblemError } from "../errors.ts";
import { isJsonObject } from "../json.ts";
import { lookAt, type Look } from "./audit.ts";
import type { Call, Endpoint } from "./endpoint.ts";

type Sent = Call<unknown, unknown, unknown>;

/** Looks at what an endpoint's address names, as its reader would see it. Undefined: there is nothing to see. */
export interface Reader {
  before(sent: Sent): Promise<Look | undefined>;
  /** Of something that was made, by the id in the answer. */
  after(sent: Sent, answered: unknown): Promise<Look | undefined>;
}

/**
 * The reader of an endpoint's target: the GET of its own address, else of the nearest above it that is no
 * list; for what is made in a list, the GET of what lies in that list.
 */
export function createReader(endpoint: Endpoint, endpoints: readonly Endpoint[]): Reader {
  const readers = endpoints.filter(({ method, givesFile }) => method === "get" && givesFile === undefined);
  const above = readers
    .filter((reader) => !isList(reader) && `${endpoint.path}/`.startsWith(`${reader.path}/`))
    .toSorted((a, b) => b.path.length - a.path.length)[0];
  const made = readers.find(
    ({ path }) => path.startsWith(`${endpoint.path}/{`) && path.lastIndexOf("/") === endpoint.path.length,
  );
  return {
    before: async (sent) => (above === undefined ? undefined : look(above, sent)),
    async after(sent, answered) {
      if (above !== undefined) return look(above, sent);
      const id = isJsonObject(answered) ? answered["id"] : undefined;
      const name = /\{(\w+)\}$/.exec(made?.path ?? "")?.[1];
      if (made === undefined || name === undefined || typeof id !== "string") return undefined;
      return look(made, { ...sent, params: { ...paramsOf(sent), [name]: id } });
    },
  };
}

function isList({ query }: Endpoint): boolean {
  return query !== undefined && "cursor" in query.shape;
}

async function look(reader: Endpoint, sent: Sent): Promise<Look | undefined> {
  const names = [...reader.path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  const given = paramsOf(sent);
  const params = Object.fromEntries(names.map((name) => [name, given[name]]));
  try {
    const { body } = await reader.answer({ ...sent, params, query: {}, body: undefined });
    return lookAt(body);
  } catch (error) {
    // There is none, or it may not be seen so: nobody has looked.
    if (error instanceof ProblemError && error.status < 500) return undefined;
    throw error;
  }
}

function paramsOf({ params }: Sent): Readonly<Record<string, unknown>> {
  return typeof params === "object" && params !== null ? { ...params } : {};
}
