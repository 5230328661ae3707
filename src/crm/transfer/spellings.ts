import type { CrmField, CrmObject, Objects } from "../objects.ts";

/** Finds the path that a column's name means to people. */
export interface Spellings {
  find(name: string): string | undefined;
}

/**
 * How people and other programs write the fields of an object: by their labels, with the parts of
 * composites behind them as Twenty's own files have them (`Emails / Primary Email`), or by what is plain
 * without the field (`First name`). What could mean two fields means neither.
 */
export function spellingsOf({ objects, object }: { objects: Objects; object: CrmObject }): Spellings {
  const certain = collect(object.fields.flatMap((field) => namesOf(field, { objects })));
  const loose = collect(object.fields.flatMap(looseNamesOf));
  return {
    find: (name) => certain.get(fold(name)) ?? loose.get(fold(name)) ?? undefined,
  };
}

type Named = readonly [name: string, path: string];

/** Folded name → path; null: it could mean several. */
function collect(names: readonly Named[]): ReadonlyMap<string, string | null> {
  const paths = new Map<string, string | null>();
  for (const [name, path] of names) {
    const key = fold(name);
    const other = paths.get(key);
    paths.set(key, other === undefined || other === path ? path : null);
  }
  return paths;
}

/** Letters and digits alone, in small. */
function fold(name: string): string {
  return name
    .normalize("NFKD")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]/gu, "");
}

function namesOf(field: CrmField, { objects }: { objects: Objects }): Named[] {
  const { name, label, info, relation } = field;
  const own: Named[] = [
    [name, name],
    [label, name],
  ];
  const parts = Object.keys(info.subFields ?? {}).flatMap((part): Named[] =>
    ways(part).flatMap((way): Named[] => [
      [`${name} ${way}`, `${name}.${part}`],
      [`${label} ${way}`, `${name}.${part}`],
    ]),
  );
  const other = relation === undefined ? undefined : objects.find(relation.object);
  const related = (other?.fields ?? [])
    .filter(({ unique }) => unique)
    .flatMap((unique): Named[] => [
      [`${relation?.name} ${unique.name}`, `${relation?.name}.${unique.name}`],
      [`${label} ${unique.label}`, `${relation?.name}.${unique.name}`],
      [`${label} ${unique.name}`, `${relation?.name}.${unique.name}`],
    ]);
  return [...own, ...parts, ...related];
}

/** A part by its whole name, and without what the field says already: `primaryEmail`, `email`. */
function ways(part: string): string[] {
  return [part, part.replace(/^(primary|address)/, "")];
}

const plainTypes: ReadonlySet<string> = new Set(["FULL_NAME", "EMAILS", "PHONES", "ADDRESS"]);

function looseNamesOf({ name, type, info }: CrmField): Named[] {
  if (!plainTypes.has(type)) return [];
  const parts = info.main === undefined ? Object.keys(info.subFields ?? {}) : [info.main];
  return parts.flatMap((part) =>
    [...ways(part), ...(synonyms[part] ?? [])].map((way): Named => [way, `${name}.${part}`]),
  );
}

const synonyms: Readonly<Record<string, readonly string[]>> = {
  lastName: ["surname", "family name"],
  firstName: ["given name"],
  primaryEmail: ["e-mail address", "mail"],
  primaryPhoneNumber: ["phone", "telephone"],
  addressPostcode: ["zip", "zip code", "postal code"],
  addressStreet1: ["street"],
};
