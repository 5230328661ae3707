import { z } from "zod";
import { activate, runIdOf, type Active } from "../api.ts";
import type { Product } from "../product.ts";
import { insist } from "./insist.ts";
import { mark, type Pace, type Trial } from "./trial.ts";

const policies = ["queue-latest", "skip", "replace"] as const;
type Policy = (typeof policies)[number];

const ended = z.object({
  id: z.string(),
  status: z.string(),
  startedAt: z.string().nullable(),
  endedAt: z.string().nullable(),
});
type Ended = z.output<typeof ended>;
const page = z.object({ data: z.array(ended), nextCursor: z.string().nullable() });

/**
 * A workflow for each policy but `queue`, all of whose runs share a key. None of them is to be lost,
 * whatever becomes of it: no two go at once, those that complete leave their notes, those that are skipped
 * leave none, and the newest is never the one that is left out where the policy says so.
 */
export async function createPolicies(product: Product, posts: number): Promise<Trial> {
  const workflows = new Map<Policy, Active>();
  for (const policy of policies) workflows.set(policy, await activate(product, busyWorkflow(policy)));
  const runIds = new Map<Policy, string[]>(policies.map((policy) => [policy, []]));

  async function post(policy: Policy, number: number): Promise<void> {
    const body = JSON.stringify({ number });
    const path = workflows.get(policy)?.path ?? "";
    const answer = await insist(`post ${number} for ${policy}`, () => product.post(path, body), [202]);
    runIds.get(policy)?.push(runIdOf(answer.body));
  }

  return {
    async start(pace: Pace) {
      for (let number = 0; number < posts; number++) {
        await pace.pause(posts);
        await Promise.all(policies.map((policy) => post(policy, number)));
      }
    },
    marks: () => [],
    async faults(titles) {
      const found: string[] = [];
      for (const policy of policies) {
        const runs = await readRuns(product, workflows.get(policy)?.id ?? "");
        found.push(...faultsOf(policy, { runs, accepted: runIds.get(policy) ?? [], titles }));
      }
      return found;
    },
  };
}

/** Long enough that others come meanwhile. What it mails goes through its own activity. */
function busyWorkflow(policy: Policy) {
  return {
    formatVersion: 1,
    key: `chaos-${policy}`,
    name: `Chaos: ${policy}`,
    triggers: [{ id: "post", kind: "webhook", dedupe: { path: "number" } }],
    concurrency: { key: "one", limit: 1, whenBusy: policy },
    steps: [
      mark(`${policy} {{ run.id }} began`, "began"),
      {
        id: "tell",
        kind: "send-email",
        input: { to: ["sales@example.com"], subject: `${policy} {{ run.id }}`, text: "Chaos" },
      },
      mark(`${policy} {{ run.id }} ended`, "ended"),
    ],
  };
}

interface Left {
  readonly runs: readonly Ended[];
  /** Runs that the posts were answered with. */
  readonly accepted: readonly string[];
  readonly titles: ReadonlyMap<string, number>;
}

function faultsOf(policy: Policy, { runs, accepted, titles }: Left): string[] {
  const known = new Map(runs.map((run) => [run.id, run]));
  const lost = accepted.filter((id) => !known.has(id)).map((id) => `run ${id} was accepted and is not there`);
  const unasked = runs.filter(({ id }) => !accepted.includes(id)).map(({ id }) => `run ${id} was not asked for`);
  const notes = runs.flatMap((run) => faultsOfNotes(run, (part) => titles.get(`${policy} ${run.id} ${part}`) ?? 0));
  const newest = runs.toSorted((a, b) => (a.id < b.id ? -1 : 1)).at(-1);
  const left =
    policy !== "skip" && newest?.status !== "completed" ? [`the newest run, ${newest?.id}, is ${newest?.status}`] : [];
  return [...lost, ...unasked, ...notes, ...overlaps(runs), ...left].map((fault) => `${policy}: ${fault}`);
}

function faultsOfNotes({ id, status }: Ended, count: (part: string) => number): string[] {
  const left = `${count("began")} and ${count("ended")}`;
  // A run that was cancelled may have come to any of its steps.
  const expected: { readonly [status: string]: readonly string[] } = {
    completed: ["1 and 1"],
    skipped: ["0 and 0"],
    cancelled: ["0 and 0", "1 and 0", "1 and 1"],
  };
  const isExpected = expected[status]?.includes(left) === true;
  return isExpected ? [] : [`run ${id} is ${status} and left ${left} notes`];
}

function overlaps(runs: readonly Ended[]): string[] {
  const went = runs
    .flatMap(({ id, startedAt, endedAt }) =>
      startedAt === null || endedAt === null ? [] : [{ id, from: Date.parse(startedAt), to: Date.parse(endedAt) }],
    )
    .toSorted((a, b) => a.from - b.from);
  return went.flatMap((run, position) => {
    const before = went[position - 1];
    return before !== undefined && before.to > run.from ? [`runs ${before.id} and ${run.id} went at once`] : [];
  });
}

async function readRuns(product: Product, workflowId: string): Promise<Ended[]> {
  const found: Ended[] = [];
  for (let after = ""; ;) {
    const path = `/api/runs?workflowId=${workflowId}&limit=200${after}`;
    const { data, nextCursor } = page.parse((await product.call("GET", path)).body);
    found.push(...data);
    if (nextCursor === null) return found;
    after = `&cursor=${nextCursor}`;
  }
}
