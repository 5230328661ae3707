import { refuse, type Refusal, type Secrets, type Verdict } from "./authentication.ts";

/** Values of a secret. Without one nobody can show anything, so everybody is refused. */
export function valuesOf(secrets: Secrets, name: string): readonly Buffer[] | Refusal {
  const values = secrets.get(name) ?? [];
  if (values.length > 0 && values.every((value) => value.length > 0)) return values;
  return refuse("secret-missing", `There is no secret ${name} any more, or it cannot be read. Make it anew.`);
}

/** Whether one of the values fits; all are tried, so that the time does not tell which. */
export function anyFits<Value>(values: readonly Value[], fits: (value: Value) => boolean): Verdict | undefined {
  const fitting = values.map(fits);
  const place = fitting.indexOf(true);
  return place === -1 ? undefined : { ok: true, previous: place > 0 };
}
