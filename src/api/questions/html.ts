import { escapeFor } from "../../definition/expressions/escape.ts";
import type { Issue } from "../../errors.ts";
import { isJsonObject, textOf, type JsonObject } from "../../json.ts";
import { formSchema, type Form } from "../../runs/questions/form.ts";
import type { Question } from "../../runs/questions/read.ts";
import { isFlat } from "./sent-form.ts";

const escape = (text: string): string => escapeFor("html", text, false);

/** The page of an open question, with what was wrong with the answer that was just sent. */
export function questionHtml(question: Question, issues: readonly Issue[] = []): string {
  const { title, details, workflowName, deadline, form } = question;
  const faults = issues.map(
    ({ path, message }) => `<li>${escape(path.replace(/^answer\.?/, ""))} ${escape(message)}</li>`,
  );
  return documentHtml(
    title,
    `<p class="hint">${escape(workflowName)} asks</p>
<h1>${escape(title)}</h1>
${details === null ? "" : `<p class="details">${escape(details)}</p>`}
${faults.length === 0 ? "" : `<ul class="faults" role="alert">${faults.join("")}</ul>`}
<form method="post">
${fieldsHtml(formSchema.parse(form))}
</form>
${deadline === null ? "" : `<p class="hint">It can be answered until ${escape(deadline)}.</p>`}`,
  );
}

/** A page that only says something. */
export function noticeHtml(title: string, text: string): string {
  return documentHtml(title, `<h1>${escape(title)}</h1>\n<p>${escape(text)}</p>`);
}

function documentHtml(title: string, main: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escape(title)} · Tandem</title>
<link rel="stylesheet" href="/questions/style.css">
</head>
<body>
<main>
${main}
</main>
</body>
</html>
`;
}

function fieldsHtml(form: Form): string {
  switch (form.kind) {
    case "approval":
      return `<label for="comment">Comment</label>
<textarea id="comment" name="comment" rows="3" maxlength="10000"></textarea>
<p><button name="decision" value="approve">Approve</button> <button name="decision" value="reject">Reject</button></p>`;
    case "fields":
      return `${Object.entries(form.fields)
        .map(([name, { label, description, ...field }]) =>
          fieldHtml({ name, label: label ?? name, ...field, description, options: field.options ?? [] }),
        )
        .join("\n")}\n${send}`;
    case "schema":
      return `${schemaHtml(form.schema)}\n${send}`;
  }
}

const send = `<p><button>Send</button></p>`;

interface Field {
  readonly name: string;
  readonly label: string;
  readonly type: string;
  readonly required: boolean;
  readonly description?: string | undefined;
  readonly options: readonly string[];
}

/** Kinds of input by the types of fields; others are lines of text. */
const inputs: Readonly<Record<string, string>> = {
  number: `type="number" step="any"`,
  integer: `type="number" step="1"`,
  date: `type="date"`,
  email: `type="email"`,
  url: `type="url"`,
};

function fieldHtml({ name, label, type, required, description, options }: Field): string {
  const own = `id="${escape(name)}" name="${escape(name)}"`;
  const needed = required ? " required" : "";
  const hint = description === undefined ? "" : `<p class="hint">${escape(description)}</p>`;
  const head = `<label for="${escape(name)}">${escape(label)}${required ? " *" : ""}</label>${hint}`;
  if (type === "boolean") return `<p><input type="checkbox" value="true" ${own}> ${head}</p>`;
  if (options.length > 0) {
    const choices = ["", ...options].map((option) => `<option>${escape(option)}</option>`);
    return `${head}\n<select ${own}${needed}>${choices.join("")}</select>`;
  }
  if (type === "text" || type === "string") return `${head}\n<textarea ${own} rows="2"${needed}></textarea>`;
  return `${head}\n<input ${inputs[type] ?? `type="text"`} ${own}${needed}>`;
}

function schemaHtml(schema: JsonObject): string {
  const properties = schema["properties"];
  if (!isFlat(schema) || properties === undefined || !isJsonObject(properties))
    return `<label for="json">Answer, as JSON</label>\n<textarea id="json" name="json" rows="10" required></textarea>`;
  const required = new Set(Array.isArray(schema["required"]) ? schema["required"] : []);
  return Object.entries(properties)
    .map(([name, property]) => {
      const { title, description, type, enum: values } = isJsonObject(property) ? property : {};
      return fieldHtml({
        name,
        label: textOf(title ?? null) ?? name,
        type: textOf(type ?? null) ?? "string",
        required: required.has(name),
        description: textOf(description ?? null),
        options: Array.isArray(values) ? values.map(String) : [],
      });
    })
    .join("\n");
}

/** The page's style, served apart: nothing is inline. */
export const questionStyle = `:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); --soft: color-mix(in srgb, currentColor 60%, transparent); --mark: #2f6fde; }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 40rem; margin: 0 auto; padding: 2rem 1.2rem; }
h1 { font-size: 1.3rem; margin: .2rem 0 1rem; overflow-wrap: anywhere; }
.details { white-space: pre-wrap; overflow-wrap: anywhere; }
.hint { color: var(--soft); margin: 0; font-size: .9rem; }
.faults { color: #c0392b; padding-left: 1.2rem; }
label { display: inline-block; margin-top: .8rem; }
input:not([type=checkbox]), select, textarea { display: block; width: 100%; font: inherit; padding: .4rem .6rem; border: 1px solid var(--line); border-radius: 6px; background: transparent; color: inherit; }
button { font: inherit; padding: .4rem 1.2rem; border: 1px solid var(--line); border-radius: 6px; background: transparent; color: inherit; cursor: pointer; }
:focus-visible { outline: 2px solid var(--mark); outline-offset: 1px; }
`;
