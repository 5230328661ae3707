import { Temporal } from "temporal-polyfill";
import { suggest } from "./suggest.ts";

/** The IANA zone of that name as the zone database spells it, whatever its case; undefined: there is none. */
export function findTimeZone(name: string): string | undefined {
  // An offset is no zone: it knows no summer time.
  if (!/^[A-Za-z]/.test(name)) return undefined;
  try {
    return Temporal.PlainDate.from("2000-01-01").toZonedDateTime(name).timeZoneId;
  } catch {
    return undefined;
  }
}

/** What is wrong with a name that is no zone's, with the one that was meant. */
export function unknownTimeZone(name: string): string {
  const meant = nearestZone(name);
  const question = meant === undefined ? "" : `; did you mean "${meant}"?`;
  return `there is no time zone "${name}"; give an IANA name, such as Europe/Berlin${question}`;
}

/** People write the city alone as often as they misspell. */
function nearestZone(name: string): string | undefined {
  const zones = ["UTC", ...Intl.supportedValuesOf("timeZone")];
  const city = name.split("/").at(-1)?.replaceAll(" ", "_").toLowerCase();
  return zones.find((zone) => zone.toLowerCase().endsWith(`/${city}`)) ?? suggest(name, zones);
}
