import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { z } from "zod";
import { activate, listRuns, openStatuses, type Active } from "../api.ts";
import { until, withProduct, type Product } from "../product.ts";
import { createChanges } from "./changes.ts";
import { metStepInFlight } from "./in-flight.ts";
import { killParts, planKills, type Kill } from "./killer.ts";
import { createLaunches } from "./launches.ts";
import { missingMarks, readTitles, recountMarks, type Marked } from "./marks.ts";
import { createPolicies } from "./policies.ts";
import { createRandom } from "./random.ts";
import { recount, type Count } from "./recount.ts";
import { sendForms, type Accepted } from "./sender.ts";
import { createTicks } from "./ticks.ts";
import { createPace, type Trial } from "./trial.ts";

/**
 * Posts forms to `web-form-leads`, and starts runs in every other way, while it kills gateway, worker,
 * Temporal and Postgres; waits until all runs are over, and recounts what they left. Ends with 1 when
 * anything accepted was lost, anything was doubled or came unasked, or too few kills met a step in flight
 * to prove anything.
 */
const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    posts: { type: "string", default: "200" },
    kills: { type: "string", default: "12" },
  },
});
const number = z.coerce.number().int().min(1).max(10_000);
const [seed, posts, kills] = [number.parse(values.seed), number.parse(values.posts), number.parse(values.kills)];

/** Long enough for a part to come back and for runs to be under way again. */
const pauseBetweenKillsMs = 2_500;
/** A mail that met its server down is tried again for ten minutes at most. */
const drainLimitMs = 600_000;
/** Without a run or a note for so long, nothing more is to come: when all notes are there, and when some are not. */
const [quietMs, lostAfterMs] = [3_000, 60_000];
const anyOpen = openStatuses.join(",");

const document = z.record(z.string(), z.unknown());
const templates = z.object({ data: z.array(z.object({ id: z.string(), definition: document })) });

async function main(): Promise<void> {
  print(`seed ${seed}, ${posts} posts, ${kills} kills`);
  const holds = await withProduct({}, async (product) => report(await run(product)));
  if (!holds) process.exitCode = 1;
}

interface Outcome {
  readonly count: Count;
  readonly marked: Marked;
  readonly kills: number;
  readonly inFlight: number;
}

async function run(product: Product): Promise<Outcome> {
  const random = createRandom(seed);
  const workflow = await activateWithDedupe(product);
  const accepted: Accepted[] = [];
  const made: Kill[] = [];
  const trials = await createTrials(product, accepted);
  const pace = createPace(createRandom(seed + 1), kills * pauseBetweenKillsMs);
  const begun = performance.now();
  const say = (sentence: string): void =>
    print(`${((performance.now() - begun) / 1_000).toFixed(1).padStart(6)} s  ${sentence}`);
  let aimed = (): void => {};
  await Promise.all([
    sendForms(product, workflow.path, {
      posts,
      together: Math.ceil(posts / kills / 2),
      // Half of the forms come at any time; of the rest a group is kept for each kill that is still to come.
      pause(left) {
        const toCome = kills - made.length;
        if (left <= toCome) return new Promise((resolve) => (aimed = resolve));
        return sleep((random.next() + 0.5) * ((toCome * pauseBetweenKillsMs) / left));
      },
      onAccepted: (one) => accepted.push(one),
    }),
    ...trials.map((trial) => trial.start(pace)),
    killParts(product, {
      plan: planKills(kills, random),
      random,
      pauseMs: pauseBetweenKillsMs,
      workflowId: workflow.id,
      onAim: () => aimed(),
      onKill(kill) {
        made.push(kill);
        say(`killed ${kill.part}, ${kill.runIds.length} runs doing a step`);
      },
    }).finally(() => aimed()),
  ]);
  say(`all ${accepted.length} forms and everything else are accepted`);
  for (const trial of trials) await trial.finish?.();
  await untilSettled(product, trials);
  say("all runs are over");
  let inFlight = 0;
  for (const kill of made) {
    if (await metStepInFlight(product, kill)) inFlight += 1;
    else say(`no step was in flight when ${kill.part} was killed`);
  }
  const [count, marked] = [await recount(product, accepted), await recountMarks(product, trials)];
  return { count, marked, kills: made.length, inFlight };
}

async function createTrials(product: Product, accepted: readonly Accepted[]): Promise<Trial[]> {
  const few = Math.max(Math.round(posts / 5), 1);
  const changes = await createChanges(product, {
    people: few,
    emailsOfForms: () => accepted.map(({ email }) => email),
  });
  return [
    changes,
    await createTicks(product),
    await createLaunches(product, { launches: few, written: changes.written }),
    await createPolicies(product, few),
  ];
}

/** Until every note is there that has to be, or nothing more comes; and no run is open. */
async function untilSettled(product: Product, trials: readonly Trial[]): Promise<void> {
  const noneOpen = async (): Promise<boolean> => (await listRuns(product, { status: anyOpen, limit: 1 })).length === 0;
  let missing = Number.POSITIVE_INFINITY;
  let quietSince = Date.now();
  await until(
    "all runs to be over",
    async () => {
      const found = missingMarks(trials, await readTitles(product)).length;
      if (found !== missing || !(await noneOpen())) quietSince = Date.now();
      missing = found;
      return Date.now() - quietSince > (missing === 0 ? quietMs : lostAfterMs);
    },
    drainLimitMs,
  );
}

/**
 * The template's own steps under another key, with a dedupe key: a sender that retries may have been
 * accepted and not know it, and would otherwise rightly start a second run.
 */
async function activateWithDedupe(product: Product): Promise<Active> {
  const { body } = await product.call("GET", "/api/templates");
  const template = templates.parse(body).data.find(({ id }) => id === "web-form-leads");
  if (template === undefined) throw new Error("The template web-form-leads is not there.");
  const [trigger] = z.array(document).parse(template.definition["triggers"]);
  return activate(product, {
    ...template.definition,
    key: "chaos-leads",
    triggers: [{ ...trigger, dedupe: { path: "submissionId" } }],
  });
}

/** Prints what was found; true when nothing was lost, doubled or unasked and the kills proved something. */
function report({ count, marked, kills: made, inFlight }: Outcome): boolean {
  const { lost, duplicatedRecords, duplicatedMessageIds } = count;
  const faults = [lost, duplicatedRecords, duplicatedMessageIds, marked.lost, marked.wrong].flat();
  print("");
  print(`accepted               ${count.accepted}`);
  print(`lost                   ${count.lost.length}`);
  print(`duplicated records     ${count.duplicatedRecords.length}`);
  print(`duplicated Message-IDs ${count.duplicatedMessageIds.length}`);
  print(`mail copies            ${count.mailCopies}`);
  print(`notes expected         ${marked.expected}`);
  print(`notes lost             ${marked.lost.length}`);
  print(`notes and runs wrong   ${marked.wrong.length}`);
  print(`kills in flight        ${inFlight} of ${made}`);
  for (const fault of faults) print(`  ${fault}`);
  const proven = inFlight >= (made * 2) / 3;
  if (!proven) print("Too few kills met a step in flight to prove anything.");
  return faults.length === 0 && proven;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
