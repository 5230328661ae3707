import { setCurrentDetails } from "@temporalio/workflow";
import type { Verdict } from "../definition/plan.ts";

/** Steps that the Web UI's table shows: the last ones. */
const mostShown = 40;

/** The short table of steps that Temporal's Web UI shows as a workflow's current details. */
export function createProgress() {
  const rows = new Map<string, string>();
  const show = (): void => {
    const shown = [...rows].slice(-mostShown).map(([path, state]) => `| ${path} | ${state} |`);
    setCurrentDetails(["| step | state |", "| --- | --- |", ...shown].join("\n"));
  };
  const set = (path: string, state: string): void => {
    rows.set(path, state);
    show();
  };
  return {
    states: () => Object.fromEntries([...rows].slice(-mostShown)),
    begin: (path: string) => set(path, "running"),
    wait: (path: string) => set(path, "waits"),
    note: (path: string, verdict: Verdict) => set(path, stateOf(verdict)),
    /** An item is over: what lies in it is not shown any longer, nor kept. */
    forget(prefix: string): void {
      for (const path of rows.keys()) if (path.startsWith(prefix)) rows.delete(path);
      for (const path of rows.keys()) if (rows.size > 2 * mostShown) rows.delete(path);
    },
  };
}

function stateOf(verdict: Verdict): string {
  switch (verdict.kind) {
    case "done":
      return "done";
    case "end":
      return "not passed: the run ends";
    case "stop":
      return `stops the run as ${verdict.as}`;
    case "branch":
      return verdict.index === null ? "no branch taken" : `branch ${verdict.index}`;
    case "items":
      return `${verdict.count} items`;
    case "item":
      return verdict.ended;
    case "failed":
      return `failed: ${verdict.code}${verdict.handled === "no" ? "" : ", handled"}`;
  }
}
