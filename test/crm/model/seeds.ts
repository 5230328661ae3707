/** The seeds of a run: the same everywhere, unless `MODEL_SEEDS` names others, as in `MODEL_SEEDS=7,8 npm test -- test/crm/model`. */
export function seedsOf(...fixed: readonly number[]): readonly number[] {
  const others = process.env["MODEL_SEEDS"];
  return others === undefined ? fixed : others.split(",").map(Number);
}
