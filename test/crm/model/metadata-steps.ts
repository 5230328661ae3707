import {
  changeField as changeTheField,
  removeField as removeTheField,
} from "../../../src/crm/metadata/change-field.ts";
import { createField } from "../../../src/crm/metadata/create-field.ts";
import { fieldDefinition, type FieldInput } from "../../../src/crm/metadata/definitions.ts";
import { createIndex, removeIndex } from "../../../src/crm/metadata/indexes.ts";
import { changeObject, createObject, removeObject as removeTheObject } from "../../../src/crm/metadata/objects.ts";
import type { Dice } from "./dice.ts";
import { drawFilled } from "./draws.ts";
import { compareAll, diverge, faultOfEvents, type Game } from "./game.ts";
import {
  addFields,
  addObject,
  can,
  changeField,
  fieldOf,
  hideObject,
  joinFields,
  partFields,
  removeField,
  removeObject,
  renameObject,
  type FieldChange,
  type NewField,
} from "./structure.ts";
import { attempt } from "./system.ts";
import { composites, contacts, isList } from "./values.ts";
import { getKind, visibleFields, visibleKinds, type Field, type Kind, type Verdict, type World } from "./world.ts";

const objectNames = ["alpha", "beta", "gamma", "delta"];
const fieldNames = ["one", "two", "three", "four", "five", "six"];
const plainTypes = ["TEXT", "NUMBER", "BOOLEAN", "DATE", "DATE_TIME", "RATING", "RAW_JSON", "UUID", "ARRAY"];
const types = [...plainTypes, "SELECT", "MULTI_SELECT", "RELATION", "RELATION", ...Object.keys(composites)];
const optionValues = ["RED", "GREEN", "BLUE", "GREY"];
const option = (value: string) => ({ value, label: value.toLowerCase() });

/** A change of the metadata: what the model says of it, and how it is made. */
interface Step {
  readonly said: string;
  readonly verdict: Verdict;
  /** Gives what the model needs to know of what was made. */
  make(): Promise<unknown>;
  /** The model's world after that, where it depends on what was made. */
  after?(made: unknown): Verdict;
}

export async function playMetadata(
  game: Game,
  dice: Dice,
  draw: (dice: Dice, game: Game) => Step | undefined,
): Promise<void> {
  const step = draw(dice, game);
  if (step === undefined) return;
  game.trace.push(step.said);
  const made = await attempt(step.make);
  game.trace.push("refused" in made ? `  → refused: ${made.refused}` : "  → done");
  const verdict = "refused" in made || step.after === undefined ? step.verdict : step.after(made.value);
  if ("refused" in verdict) {
    const isExpected = "refused" in made && verdict.refused.has(made.refused);
    if (!isExpected) diverge(game, `Expected a refusal: ${[...verdict.refused].join(" or ")}`);
  } else {
    if ("refused" in made) return diverge(game, `Expected no refusal, saw ${made.refused}`);
    game.world = verdict.world;
  }
  const fault = faultOfEvents(await game.system.newEvents(), []);
  if (fault !== undefined) diverge(game, fault);
  await compareAll(game);
}

function metadataOf({ system: { pool, workspace } }: Game) {
  return { pool, workspace };
}

export function drawNewObject(dice: Dice, game: Game): Step | undefined {
  if ([...game.world.values()].filter(({ standard }) => !standard).length >= 3) return undefined;
  const name = dice.pick(objectNames);
  const plural = `${name}s`;
  const drawn = Array.from({ length: 1 + dice.below(3) }, () => drawField(dice, game, { relations: false })).filter(
    ({ required, defaultValue }) => required !== true || defaultValue === undefined,
  );
  const fields = [...new Map(drawn.map((field) => [field.name, field])).values()];
  const isLinkable = dice.oneIn(2);
  const key = `${name}~${game.trace.length}`;
  const made = addObject(game.world, { key, name, plural, fields });
  const verdict = isLinkable ? withLinks(made, key) : made;
  return {
    said: `create object ${JSON.stringify({ name, linkable: isLinkable, fields })}`,
    verdict,
    make: () => createObject(metadataOf(game), { name, plural, fields: fields.map(toInput), linkable: isLinkable }),
  };
}

/** Tasks and notes can be linked to the new object's records. */
function withLinks(made: Verdict, key: string): Verdict {
  if ("refused" in made) return made;
  let verdict = made;
  for (const link of ["taskTarget", "noteTarget"]) {
    const [kind, target] = [getKind(verdict.world, link), getKind(verdict.world, key)];
    const own = link.replace("Target", "Id");
    const field = fieldOf(kind, { name: `${target.name}Id`, type: "RELATION", onDelete: "cascade" }, { target });
    const added = addFields(verdict.world, link, [field]);
    if ("refused" in added) return added;
    const joined = joinFields(added.world, link, {
      id: `${own},${field.name}`,
      fields: kind.fields.filter(({ name }) => name === own).concat(field),
    });
    if ("refused" in joined) return joined;
    verdict = joined;
  }
  return verdict;
}

function toInput(field: NewField): FieldInput {
  return fieldDefinition.parse(field);
}

function drawField(dice: Dice, game: Game, { relations }: { relations: boolean }): NewField {
  const type = dice.pick(relations ? types : types.filter((each) => each !== "RELATION"));
  const name = dice.pick(fieldNames);
  const options = type === "SELECT" || type === "MULTI_SELECT" ? { options: optionValues.slice(0, 3).map(option) } : {};
  const compares =
    type === "TEXT" && dice.oneIn(3) ? { compares: dice.pick(["without-case", "as-domain"] as const) } : {};
  const required = dice.oneIn(5) ? { required: true } : {};
  const unique = can(type, "unique") && dice.oneIn(4) ? { unique: true } : {};
  const others = (["searchable", "indexed"] as const).filter((what) => can(type, what) && dice.oneIn(3));
  const flags = { ...required, ...unique, ...Object.fromEntries(others.map((what) => [what, true])) };
  if (type === "RELATION") return { name: `${name}Id`, type, ...required, ...unique };
  const blank = fieldOf(game.world.values().next().value ?? fail(), { name, type, ...options });
  const hasDefault = unique.unique !== true && dice.oneIn(3);
  const defaultValue = hasDefault ? { defaultValue: drawFilled(dice, game.world, blank) } : {};
  return { name, type, ...options, ...compares, ...flags, ...defaultValue };
}

function fail(): never {
  throw new Error("The world is empty.");
}

export function drawCustom(dice: Dice, game: Game): Kind | undefined {
  const kinds = [...game.world.values()].filter(({ standard }) => !standard);
  if (dice.oneIn(5)) return getKind(game.world, dice.pick(["person", "company"]));
  return kinds.length === 0 ? undefined : dice.pick(kinds);
}

export function drawNewField(dice: Dice, game: Game): Step | undefined {
  const kind = drawCustom(dice, game);
  if (kind === undefined || kind.fields.length > 14) return undefined;
  const input = drawField(dice, game, { relations: true });
  if (input.type === "RELATION") return drawNewRelation(dice, game, { kind, input });
  const field = fieldOf(kind, input);
  return {
    said: `create field ${kind.name} ${JSON.stringify(input)}`,
    verdict: addFields(game.world, kind.key, [field]),
    make: () => createField(metadataOf(game), kind.name, toInput(input)),
  };
}

function drawNewRelation(dice: Dice, game: Game, { kind, input }: { kind: Kind; input: NewField }): Step {
  const targets = visibleKinds(game.world).filter(({ name }) => !name.endsWith("Target"));
  const chosen = dice.oneIn(3) ? [...new Set([dice.pick(targets), dice.pick(targets)])] : [dice.pick(targets)];
  // Records that go with one another are no affair of a plain model.
  const order = [...game.world.keys()];
  const isOlder = chosen.every(({ key }) => order.indexOf(key) < order.indexOf(kind.key));
  const onDelete = isOlder && dice.oneIn(2) ? ("cascade" as const) : ("set-null" as const);
  const group = input.name.replace(/Id$/, "");
  const isGroup = chosen.length > 1;
  const base = { ...input, onDelete, inverse: { name: `seen${game.trace.length}`, label: "Seen" } };
  // Who must have one of several has no say in which.
  const wish: NewField = isGroup
    ? { ...base, required: false, objects: chosen.map(({ name }) => name) }
    : { ...base, object: chosen[0]?.name ?? "" };
  const fields = chosen.map((target) => {
    const suffix = `${target.name.charAt(0).toUpperCase()}${target.name.slice(1)}`;
    const own = isGroup ? { ...wish, name: `${group}${suffix}Id` } : wish;
    const field = fieldOf(kind, own, { target, group: isGroup ? group : null });
    return { ...field, key: `${field.key}.${target.key}` };
  });
  return {
    said: `create relation ${kind.name} ${JSON.stringify(wish)}`,
    verdict: addFields(game.world, kind.key, fields),
    make: () => createField(metadataOf(game), kind.name, toInput(wish)),
  };
}

export function drawFieldChange(dice: Dice, game: Game): Step | undefined {
  const kind = drawCustom(dice, game);
  if (kind === undefined) return undefined;
  const visible = visibleFields(game.world, kind);
  const fields = kind.fields.filter(
    (field) => field.name !== "position" && (field.hidden ? dice.oneIn(2) : visible.includes(field)),
  );
  if (fields.length === 0) return undefined;
  const field = dice.pick(fields);
  const change = drawOne(dice, game, field);
  return {
    said: `change field ${kind.name}.${field.name} ${JSON.stringify(change)}`,
    verdict: changeField(game.world, { key: kind.key, field }, change),
    make: () => changeTheField(metadataOf(game), { objectName: kind.name, fieldName: field.name }, change),
  };
}

function drawOne(dice: Dice, game: Game, field: Field): FieldChange {
  if (field.hidden) return { active: true };
  const { type } = field;
  const changes: (() => FieldChange)[] = [
    () => ({ required: !field.required }),
    () => ({ unique: !field.unique }),
    () => ({ searchable: !field.searchable }),
    () => ({ indexed: dice.oneIn(2) }),
    () => ({ active: false }),
    () => ({ name: type === "RELATION" ? `${dice.pick(fieldNames)}Id` : dice.pick(fieldNames) }),
  ];
  if (type !== "RELATION")
    changes.push(() => ({ defaultValue: dice.oneIn(3) ? null : drawFilled(dice, game.world, field) }));
  if (type === "SELECT" || type === "MULTI_SELECT")
    changes.push(() => ({ options: [...new Set([dice.pick(optionValues), ...dice.some(optionValues)])].map(option) }));
  return dice.pick(changes)();
}

export function drawFieldRemoval(dice: Dice, game: Game): Step | undefined {
  const kind = drawCustom(dice, game);
  const fields = (kind?.fields ?? []).filter(({ name }) => name !== "position");
  if (kind === undefined || fields.length === 0) return undefined;
  const field = dice.pick(fields);
  return {
    said: `remove field ${kind.name}.${field.name}`,
    verdict: removeField(game.world, kind.key, field),
    make: () => removeTheField(metadataOf(game), { objectName: kind.name, fieldName: field.name }),
  };
}

export function drawObjectChange(dice: Dice, game: Game): Step | undefined {
  const kind = drawCustom(dice, game);
  if (kind === undefined || kind.standard) return undefined;
  const { key } = kind;
  if (kind.hidden || dice.oneIn(3))
    return {
      said: `${kind.hidden ? "show" : "hide"} object ${kind.name}`,
      verdict: hideObject(game.world, key, !kind.hidden),
      make: () => changeObject(metadataOf(game), kind.name, { active: kind.hidden }),
    };
  if (dice.oneIn(3))
    return {
      said: `remove object ${kind.name}`,
      verdict: removeObject(game.world, key),
      make: () => removeTheObject(metadataOf(game), kind.name),
    };
  const name = dice.pick(objectNames);
  return {
    said: `rename object ${kind.name} to ${name}`,
    verdict: renameObject(game.world, key, { name, plural: `${name}s` }),
    make: () => changeObject(metadataOf(game), kind.name, { name, plural: `${name}s` }),
  };
}

export function drawIndexChange(dice: Dice, game: Game): Step | undefined {
  const kind = drawCustom(dice, game);
  if (kind === undefined) return undefined;
  const metadata = metadataOf(game);
  const [joined] = kind.standard ? [] : kind.together;
  if (joined !== undefined && dice.oneIn(2))
    return {
      said: `remove the unique index ${kind.name} ${joined.id}`,
      verdict: partFields(game.world, kind.key, joined.id),
      make: () => removeIndex(metadata, { objectName: kind.name, id: joined.id }),
    };
  const isWhole = ({ type }: Field): boolean => composites[type] === undefined || contacts[type] !== undefined;
  const fields = kind.fields.filter(
    (field) => !field.hidden && isWhole(field) && !isList(field) && field.type !== "RAW_JSON",
  );
  const chosen = [...new Set([dice.pick(fields), dice.pick(fields)])];
  if (chosen.length < 2) return undefined;
  const join = (world: World, id: string): Verdict => joinFields(world, kind.key, { id, fields: chosen });
  return {
    said: `create a unique index ${kind.name} ${chosen.map(({ name }) => name).join()}`,
    verdict: join(game.world, "new"),
    make: () => createIndex(metadata, kind.name, { fields: chosen.map(({ name }) => name), unique: true }),
    after: (made) => join(game.world, (made as { id: string }).id),
  };
}
