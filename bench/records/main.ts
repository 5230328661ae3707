import { withInstance, type Instance } from "./instance.ts";
import { measureLiveChange } from "./live.ts";
import { measureDepth, measureFilter, measureSearch, measureUnique } from "./reads.ts";
import type { RecordFigures } from "./report.ts";
import { companies, people, rowsSql } from "./rows.ts";
import { measureImport, measureUpsert } from "./writes.ts";

/** Measures reading and writing among a million people, each beside the bare statement. */
export async function measureRecords(say: (sentence: string) => void): Promise<RecordFigures> {
  say("Starting an instance for a million records…");
  return withInstance(async (instance) => {
    say(`Making ${people} people and ${companies} companies…`);
    const fillSeconds = await fill(instance);
    say("Searching…");
    const unique = await measureUnique(instance);
    const filter = await measureFilter(instance);
    const search = await measureSearch(instance);
    say("Reading page after page…");
    const depth = await measureDepth(instance);
    say("Upserting…");
    const upsert = await measureUpsert(instance);
    say("Importing…");
    const imported = await measureImport(instance);
    say("Changing the table while others write and read…");
    const live = await measureLiveChange(instance.product);
    return {
      fillSeconds,
      uniqueSearchP95Ms: unique.p95Ms,
      uniqueSearchBareP95Ms: unique.bareP95Ms,
      filterSearchP95Ms: filter.p95Ms,
      filterSearchBareP95Ms: filter.bareP95Ms,
      textSearchP95Ms: search.p95Ms,
      textSearchBareP95Ms: search.bareP95Ms,
      firstPageMs: depth.firstPageMs,
      deepPageMs: depth.deepPageMs,
      deepPageBareMs: depth.bareMs,
      deepPageRatio: depth.deepPageMs / depth.firstPageMs,
      batchUpsert10kSeconds: upsert.seconds,
      batchUpsert10kBareSeconds: upsert.bareSeconds,
      importRowsPerSecond: imported.perSecond,
      importBareRowsPerSecond: imported.barePerSecond,
      liveChangeWorstWaitMs: live.worstWaitMs,
      liveChangeFailures: live.failures,
      liveChangeCalls: live.calls,
      liveChangeSeconds: live.seconds,
    };
  });
}

async function fill({ sql, schema }: Instance): Promise<number> {
  const begun = performance.now();
  await sql.query(rowsSql(schema));
  const seconds = (performance.now() - begun) / 1_000;
  // What Postgres does by itself some time later.
  for (const table of ["person", "company"]) await sql.query(`vacuum (analyze) ${schema}.${table}`);
  return seconds;
}
