import type { Judgement } from "../report.ts";

/** An instance after its start and some thousand searches. */
export interface Situation {
  readonly startSeconds: number;
  /** Of gateway and worker. */
  readonly memoryMiB: number;
  readonly searchP50Ms: number;
  readonly searchP95Ms: number;
  /** Of the first workspace by itself, in turns with the others. */
  readonly firstAloneP95Ms: number;
}

/** One instance with one workspace and with many. */
export interface WorkspaceFigures {
  readonly workspaces: number;
  readonly makeSeconds: number;
  readonly one: Situation;
  readonly many: Situation;
  readonly manyWorkspacesStartRatio: number;
  readonly manyWorkspacesMemoryRatio: number;
  readonly manyWorkspacesSearchRatio: number;
}

/** With many workspaces an instance is as with one. Memory is not known on every platform. */
export function judgeWorkspaces(figures: WorkspaceFigures): Judgement[] {
  const atMost = (what: string, value: number, limit: number): Judgement => ({
    what,
    value,
    limit: `at most ${limit}`,
    holds: Number.isNaN(value) || value <= limit,
  });
  return [
    atMost("start, many / one", figures.manyWorkspacesStartRatio, 1.3),
    atMost("memory, many / one", figures.manyWorkspacesMemoryRatio, 1.5),
    atMost("search, many / one", figures.manyWorkspacesSearchRatio, 1.5),
  ];
}

/** Lines of the report: what, how much, and the same with one workspace. */
export function workspaceLines({ workspaces, makeSeconds, one, many }: WorkspaceFigures): string[][] {
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  return [
    [`${workspaces} workspaces made`, `${makeSeconds.toFixed(0)} s`, ""],
    ["start with all of them", `${many.startSeconds.toFixed(1)} s`, `with one ${one.startSeconds.toFixed(1)} s`],
    ["gateway and worker", `${many.memoryMiB.toFixed(0)} MiB`, `with one ${one.memoryMiB.toFixed(0)} MiB`],
    ["by a unique field, p50", ms(many.searchP50Ms), `with one ${ms(one.searchP50Ms)}`],
    [
      "by a unique field, p95",
      ms(many.searchP95Ms),
      `first alone ${ms(many.firstAloneP95Ms)}, with one ${ms(one.searchP95Ms)}`,
    ],
  ];
}
