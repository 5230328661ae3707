import type { FinishedRun } from "../../support/engine.ts";

/** What a run left, by paths: its name, ids, keys and moments are told apart but not named, and no lane is. */
export function nameless(run: FinishedRun, name: string): unknown {
  const ids = new Map<string, string>();
  const steps = run.steps.map(({ lane: _lane, ...step }) => step).toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const text = JSON.stringify({ ...run, id: null, steps })
    .replaceAll(name, "name")
    .replace(/"name":"[a-z-]+-(quick|ordinary)"/g, '"name":"workflow"')
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, (id) => {
      const known = ids.get(id) ?? `id ${ids.size + 1}`;
      ids.set(id, known);
      return known;
    })
    .replace(/[0-9a-f]{52}/g, "key")
    .replace(/\d{4}-\d{2}-\d{2}T[\d:.]+Z|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT/g, "moment");
  return JSON.parse(text);
}
