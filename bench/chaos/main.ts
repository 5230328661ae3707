import { parseArgs } from "node:util";
import { z } from "zod";
import { activate } from "../api.ts";
import { startProduct, type Product } from "../product.ts";
import { killParts, planKills, type Kill } from "./killer.ts";
import { createRandom } from "./random.ts";
import { recount, type Count } from "./recount.ts";
import { sendForms, type Accepted } from "./sender.ts";

/**
 * Posts forms to `web-form-leads` while it kills gateway, worker, Temporal and Postgres, waits until all
 * runs are over, and recounts what they left. Ends with 1 when anything accepted was lost, anything was
 * doubled, or too few kills met a step in flight to prove anything.
 */
const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    posts: { type: "string", default: "200" },
    kills: { type: "string", default: "12" },
  },
});
const count = z.coerce.number().int().min(1).max(10_000);
const [seed, posts, kills] = [count.parse(values.seed), count.parse(values.posts), count.parse(values.kills)];

/** Long enough for a part to come back and for runs to be under way again. */
const pauseBetweenKillsMs = 2_500;

const document = z.record(z.string(), z.unknown());
const templates = z.object({ data: z.array(z.object({ id: z.string(), definition: document })) });

async function main(): Promise<void> {
  print(`seed ${seed}, ${posts} posts, ${kills} kills`);
  const product = await startProduct();
  try {
    const { count: found, made } = await run(product);
    report(found, made);
    const enough = made.filter(({ inFlight }) => inFlight).length >= (made.length * 2) / 3;
    if (found.lost.length + found.duplicatedRecords.length + found.duplicatedMessageIds.length > 0 || !enough)
      process.exitCode = 1;
  } finally {
    await product.stop();
  }
}

async function run(product: Product): Promise<{ count: Count; made: Kill[] }> {
  const random = createRandom(seed);
  const workflow = await activateWithDedupe(product);
  const accepted: Accepted[] = [];
  const made: Kill[] = [];
  const begun = performance.now();
  await Promise.all([
    sendForms(product, workflow.path, {
      posts,
      random,
      pauseMs: (kills * pauseBetweenKillsMs * 1.2) / posts,
      onAccepted: (one) => accepted.push(one),
    }),
    killParts(product, {
      plan: planKills(kills, random),
      random,
      pauseMs: pauseBetweenKillsMs,
      workflowId: workflow.id,
      onKill(kill) {
        made.push(kill);
        print(`${seconds(begun)} killed ${kill.part}${kill.inFlight ? ", a step was in flight" : ""}`);
      },
    }),
  ]);
  print(`${seconds(begun)} all ${accepted.length} forms are accepted`);
  const found = await recount(product, workflow.id, accepted);
  print(`${seconds(begun)} all runs are over`);
  return { count: found, made };
}

/**
 * The template's own steps under another key, with a dedupe key: a sender that retries may have been
 * accepted and not know it, and would otherwise rightly start a second run.
 */
async function activateWithDedupe(product: Product) {
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

function report(found: Count, made: readonly Kill[]): void {
  const inFlight = made.filter((kill) => kill.inFlight).length;
  print("");
  print(`accepted               ${found.accepted}`);
  print(`lost                   ${found.lost.length}`);
  print(`duplicated records     ${found.duplicatedRecords.length}`);
  print(`duplicated Message-IDs ${found.duplicatedMessageIds.length}`);
  print(`mail copies            ${found.mailCopies}`);
  print(`kills in flight        ${inFlight} of ${made.length}`);
  for (const what of [...found.lost, ...found.duplicatedRecords, ...found.duplicatedMessageIds]) print(`  ${what}`);
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1_000).toFixed(1).padStart(6)} s`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
