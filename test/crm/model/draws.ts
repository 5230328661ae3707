import type { Json, JsonObject } from "../../../src/json.ts";
import type { Dice } from "./dice.ts";
import { composites, contacts, isList, type Mode } from "./values.ts";
import { alive, getKind, visibleFields, type Field, type Kind, type World } from "./world.ts";
import { wrongValue, type Modes } from "./writes.ts";

const long = "Long ".repeat(60);
/** Few, so that they meet; some that other systems stumble over. */
const texts = ["ada", "Ada", "Café ada", "bob lovelace", "x%_\\'\"", "🦊 שלום", "", `${long}a`, `${long}b`, "{{ x }}"];
const addresses = ["ada@x.example", "ADA@x.example", "bob@x.example", "", "o'hara@y.example"];
const urls = [
  "https://acme.example",
  "http://www.ACME.example/about",
  "beta.example",
  "",
  "https://beta.example:8080/?q=1",
];
const numbers = [0, 1, -1, 2.5, 10, -0.125, 1234567, "9007199254740993", "-12345678901234567890.5"];
const days = ["0001-01-01", "2020-02-29", "2026-03-29", "9999-12-31"];
const inDays = (count: number) => new Date(Date.now() + count * 86_400_000 + 3_600_000).toISOString();
const moments = [
  "0001-01-01T00:00:00.000Z",
  "2020-02-29T12:00:00.125Z",
  inDays(-3),
  inDays(3),
  inDays(60),
  "9999-12-31T23:59:59.999Z",
];
const uuids = [1, 2, 3].map((n) => `0000000${n}-0000-4000-8000-00000000000a`);
const documents: Json[] = [{ a: 1 }, { a: 1, b: [1, 2] }, [1, 2], [], {}, "ada", 5, true, { c: { d: null } }, ""];
/** Words and beginnings of them that full-text search is asked for. */
export const words = ["ada", "AD", "cafe", "café", "love", "bob lov", "acme", "nobody", "lovelace bob"];
export const ratings = [1, 2, 3, 4, 5].map((stars) => `RATING_${stars}`);

/** What the spans of `inLast` and `inNext` are drawn from; no moment lies near their ends. */
export const spans = [{ days: 1 }, { days: 7 }, { days: 400 }];

/** A value that a field takes; now and then what it does not. */
export function drawValue(dice: Dice, world: World, field: Field): Json {
  if (dice.oneIn(60) && field.relation === undefined) return wrongValue;
  if (dice.oneIn(9)) return null;
  return drawFilled(dice, world, field);
}

/** A value that is not null. */
export function drawFilled(dice: Dice, world: World, field: Field): Json {
  const { type, options, relation } = field;
  const simple = drawsOf[type];
  if (simple !== undefined) return dice.pick(simple);
  if (relation !== undefined) return drawId(dice, getKind(world, relation.target));
  if (type === "SELECT") return dice.pick(options);
  if (type === "MULTI_SELECT") return dice.some(options);
  if (type === "ARRAY") return dice.some(texts).slice(0, 3);
  return dice.oneIn(12) ? {} : drawComposite(dice, type);
}

const drawsOf: Readonly<Record<string, readonly Json[]>> = {
  TEXT: texts,
  NUMBER: numbers,
  POSITION: [0, 1, 2, -1.5],
  BOOLEAN: [true, false],
  DATE: days,
  DATE_TIME: moments,
  RATING: ratings,
  UUID: uuids,
  RAW_JSON: documents,
};

function drawComposite(dice: Dice, type: string): JsonObject {
  const named = Object.keys(composites[type] ?? {}).filter(() => dice.oneIn(2));
  return Object.fromEntries(named.map((key) => [key, drawPart(dice, type, key)]));
}

/** A value of a composite's sub-field. */
export function drawPart(dice: Dice, type: string, key: string): Json {
  const contact = contacts[type];
  if (dice.oneIn(10)) return null;
  if (contact?.list === key)
    return Array.from({ length: dice.below(3) }, () => {
      const text = (part: string): Json => drawPart(dice, type, part) ?? "";
      if (contact.item === null) return text(contact.main);
      return Object.fromEntries(contact.item.map(([name, sub]) => [name, text(sub)]));
    });
  if (key === "primaryEmail") return dice.pick(addresses);
  if (key === "primaryLinkUrl") return dice.pick(urls);
  if (key.startsWith("primaryPhone")) return dice.pick(["", "49", "301234567", "0301234567"]);
  if (key === "amountMicros") return dice.pick([0, 1_500_000, -5, "9007199254740993000"]);
  if (key === "addressLat" || key === "addressLng") return dice.pick([0, 52.5, -13.25]);
  return dice.pick(texts.slice(0, 7));
}

/** The id of a record, alive or deleted; now and then of none. */
export function drawId(dice: Dice, { items }: Kind): string {
  const ids = [...items.keys()];
  return ids.length === 0 || dice.oneIn(40) ? "00000000-0000-7000-8000-000000000000" : dice.pick(ids);
}

/** An id of a record that is there, where there is one. */
export function drawAlive(dice: Dice, kind: Kind): string {
  const ids = alive(kind).map(({ id }) => id);
  return ids.length === 0 || dice.oneIn(15) ? drawId(dice, kind) : dice.pick(ids);
}

/** Values for some of the fields: few of them, and those without which there is no record. */
export function drawValues(dice: Dice, world: World, kind: Kind, { whole }: { whole: boolean }): JsonObject {
  const values: JsonObject = {};
  const fields = visibleFields(world, kind);
  for (const field of fields) {
    const isNeeded = whole && field.required && field.defaultValue === null && !dice.oneIn(20);
    if (isNeeded) values[field.name] = drawFilled(dice, world, field);
    else if (dice.oneIn(Math.ceil(fields.length / 3))) values[field.name] = drawValue(dice, world, field);
  }
  if (dice.oneIn(150)) values["noSuchField"] = 1;
  return values;
}

/** Modes for some of the values; what is matched by is not cleared. */
export function drawModes(
  dice: Dice,
  world: World,
  { kind, values, match = [] }: { kind: Kind; values: JsonObject; match?: readonly string[] },
): Modes {
  const modes: Record<string, Mode> = {};
  for (const field of visibleFields(world, kind)) {
    const isNamed = field.name in values;
    const list = isList(field) || contacts[field.type] !== undefined;
    if (isNamed && dice.oneIn(3))
      modes[field.name] = dice.pick(list ? ["append-unique", "only-if-empty"] : ["only-if-empty"]);
    else if (!field.required && !match.includes(field.name) && dice.oneIn(25)) modes[field.name] = "clear";
  }
  return modes;
}
