import { z } from "zod";
import { isForbiddenHeader } from "./headers.ts";

/** Largest answer that a step may ask for; usual is `usualBytes`. */
const mostBytes = 67_108_864;
const usualBytes = 10_485_760;
const mostPages = 10_000;

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);
/** One value, or several under one name. Null: the name is left out. */
const values = z.record(z.string().min(1).max(200), z.union([scalar, z.array(scalar)]));

const headers = z
  .record(
    z.string(),
    z.union([
      z
        .string()
        .max(16_384)
        .regex(
          /^[\t\x20-\x7e\x80-\xff]*$/,
          "a header cannot hold line breaks, control characters, or letters beyond Latin-1",
        ),
      z.number(),
      z.boolean(),
    ]),
  )
  .superRefine((given, context) => {
    for (const name of Object.keys(given)) {
      const message = faultOfName(name);
      if (message !== undefined) context.addIssue({ code: "custom", path: [name], message });
    }
  });

function faultOfName(name: string): string | undefined {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}$/.test(name))
    return "the name of a header is letters, digits and hyphens, 200 at most";
  return isForbiddenHeader(name) ? "this header is set by the line itself: leave it out" : undefined;
}

const part = z
  .strictObject({
    name: z.string().min(1).max(200),
    text: z.union([z.string(), z.number(), z.boolean()]).optional(),
    /** Of a file's bytes. */
    base64: z.string().optional(),
    filename: z.string().max(255).optional(),
    contentType: z.string().max(200).optional(),
  })
  .refine(({ text, base64 }) => (text === undefined) !== (base64 === undefined), `a part has "text" or "base64"`);

/** Keys with dots between them; in a list a number, `first` or `last`. */
const bodyPath = z
  .string()
  .regex(/^[\w$-]+(\.[\w$-]+){0,15}$/, "a path into the body, such as paging.next or data.0.id");
const parameter = z.string().min(1).max(200);

const common = {
  /** Where a page's items are; absent: the body is the list. */
  items: bodyPath.optional(),
  maximumPages: z.number().int().min(1).max(mostPages).default(100),
  /** `pages`: the bodies themselves, one a page. */
  collect: z.enum(["items", "pages"]).default("items"),
};
/** Where the answer says whether there are more. */
const more = bodyPath.optional();
const place = z.enum(["query", "body"]).default("query");

export const paginationSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("link"), ...common }),
  z.strictObject({
    kind: z.literal("cursor"),
    /** Where the answer has the cursor; without `parameter` it is the next page's URL. */
    next: bodyPath,
    parameter: parameter.optional(),
    in: place,
    more,
    ...common,
  }),
  z.strictObject({
    kind: z.literal("page"),
    parameter: parameter.default("page"),
    in: place,
    start: z.number().int().min(0).default(1),
    more,
    ...common,
  }),
  z.strictObject({
    kind: z.literal("offset"),
    parameter: parameter.default("offset"),
    in: place,
    start: z.number().int().min(0).default(0),
    more,
    ...common,
  }),
  z.strictObject({ kind: z.literal("until-empty"), ...common }),
]);

export type Pagination = z.output<typeof paginationSchema>;

const status = z.number().int().min(100).max(599);
/** All of a hundred: `2xx`. */
const statuses = z.enum(["2xx", "3xx", "4xx", "5xx"]);
const schemaDocument = z.record(z.string(), z.json());

/** What an `http-request` takes, its expressions resolved. */
export const httpInput = z
  .strictObject({
    connection: z.string().min(1).max(64).optional(),
    path: z.string().max(16_384).optional(),
    url: z.string().max(16_384).optional(),
    method: z.enum(methods).default("GET"),
    query: values.default({}),
    headers: headers.default({}),
    body: z.json().optional(),
    form: values.optional(),
    multipart: z.array(part).min(1).max(100).optional(),
    text: z.string().optional(),
    success: z
      .array(z.union([status, statuses]))
      .min(1)
      .max(100)
      .default(["2xx"]),
    repeatable: z.boolean().optional(),
    pagination: paginationSchema.optional(),
    gives: schemaDocument.optional(),
    maximumBytes: z.number().int().min(1_024).max(mostBytes).default(usualBytes),
  })
  .refine(({ connection, url }) => (connection === undefined) !== (url === undefined), {
    message: `names either a "connection", with a "path", or a whole "url"`,
  })
  .refine(({ url, path }) => url === undefined || path === undefined, {
    message: `"path" goes with a "connection"; a "url" is whole`,
  })
  .refine(
    ({ body, form, multipart, text }) => [body, form, multipart, text].filter((one) => one !== undefined).length <= 1,
    { message: `has one body: "body" (JSON), "form", "multipart" or "text"` },
  )
  .refine((input) => !(["GET", "HEAD"].includes(input.method) && hasBody(input)), {
    message: `a GET or HEAD has no body: choose another "method"`,
  });

export type HttpInput = z.output<typeof httpInput>;

/** Whether anything stands in the request's body. */
function hasBody(input: Readonly<Partial<Record<"body" | "form" | "multipart" | "text", unknown>>>): boolean {
  return [input.body, input.form, input.multipart, input.text].some((one) => one !== undefined);
}
