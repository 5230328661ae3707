/** Records that the figures are taken with. */
export const people = 1_000_000;
export const companies = 100_000;

const firstNames =
  "Ada Alan Anna Ben Björn Carla Chloé Daniel Diana Elena Émile Eva Felix Fatima Georg Grace Hana Hugo Ida Ivan Jana John Jürgen Karin Kenji Lara Lars Lena Luis Maria Marco Mei Mia Nadia Nils Nora Olga Oscar Paul Petra Quinn Rita Robert Rosa Sara Søren Sven Tara Theo Tomás Ulla Uwe Vera Viktor Walter Wei Xenia Yusuf Yara Zoë";
const nameStarts =
  "Ander Bach Berg Blom Brand Carl Cast Dahl Dorn Eber Eck Fair Feld Fisch Gold Grün Hag Hart Holm Jans Kess Kirch Lind Lund Mahl Mar Neu Nord Oster Palm Rich Ros Sand Schön Stein Strand Thor Wald Weiss West";
const nameEnds = "ach berg dal er feld gren hof ing kamp land ley man mark mer ner quist sen son stedt wood";
const cities =
  "Amsterdam Athens Barcelona Basel Berlin Bern Bordeaux Brno Bruges Brussels Bucharest Budapest Cologne Copenhagen Cork Dresden Dublin Florence Gdańsk Geneva Genoa Ghent Graz Hamburg Helsinki Kraków Leipzig Lille Lisbon London Lyon Madrid Málaga Milan Munich Nantes Naples Oslo Paris Porto Prague Riga Rome Seville Sofia Tallinn Turin Vienna Vilnius Zürich";
const jobTitles =
  "Accountant Analyst Architect Buyer Consultant Controller Designer Developer Director Engineer Founder Manager Nurse Officer Planner Producer Researcher Seller Tester Writer";

const list = (words: string): string => `array['${words.split(" ").join("','")}']`;
/** SQL: one of a list's words; the same for the same number. */
const oneOf = (words: string, number: string): string =>
  `(${list(words)})[1 + (${number}) % ${words.split(" ").length}]`;

/** The id of a person or company by its number, as SQL makes it too. */
export function idOf(object: "person" | "company", number: number): string {
  return `${prefixes[object]}${number.toString(16).padStart(12, "0")}`;
}

const prefixes = {
  company: "01960000-0000-7000-8000-",
  person: "01970000-0000-7000-8000-",
} as const;

const idSql = (object: "person" | "company", number: string): string =>
  `('${prefixes[object]}' || lpad(to_hex(${number}), 12, '0'))::uuid`;

/** The number of a person's company. */
export function companyOf(person: number): number {
  return 1 + ((person * 48_271) % companies);
}

/** One statement that makes all companies and people in a workspace's schema (quoted). */
export function rowsSql(schema: string): string {
  const mixed = (factor: number): string => `(n::bigint * ${factor})`;
  const last = `${oneOf(nameStarts, `${mixed(7919)} / 11`)} || ${oneOf(nameEnds, `${mixed(104_729)} / 7`)}`;
  const actor = `'{"source": "IMPORT", "workspaceMemberId": null, "name": "bench"}'::jsonb`;
  const created = `date_trunc('milliseconds', now() - (${mixed(7_368_787)} % 94_608_000) * interval '1 second')`;
  return `with made as (
    insert into ${schema}.company (id, created_at, updated_at, created_by, updated_by, name, domain_name, employees, address)
    select ${idSql("company", "n")}, ${created}, ${created}, ${actor}, ${actor}, last || ' ' || n, 
      jsonb_build_object('primaryLinkLabel', '', 'primaryLinkUrl', 'company-' || n || '.example', 'secondaryLinks', '[]'::jsonb),
      1 + ${mixed(31)} % 5000,
      '{"addressStreet1": "", "addressStreet2": "", "addressPostcode": "", "addressState": "", "addressCountry": "", "addressLat": null, "addressLng": null}'::jsonb
        || jsonb_build_object('addressCity', city)
    from generate_series(1, ${companies}) as n, lateral (select ${last} as last, ${oneOf(cities, mixed(17))} as city) as parts
    returning 1)
  insert into ${schema}.person (id, created_at, updated_at, created_by, updated_by, name, emails, phones, job_title, city, company_id)
  select ${idSql("person", "n")}, ${created}, ${created}, ${actor}, ${actor},
    jsonb_build_object('firstName', first, 'lastName', last),
    jsonb_build_object('primaryEmail', 'person-' || n || '@company-' || company || '.example', 'additionalEmails', '[]'::jsonb),
    jsonb_build_object('primaryPhoneNumber', '0' || (1000000000 + ${mixed(7_654_321)} % 8999999999), 'primaryPhoneCountryCode', 'DE',
      'primaryPhoneCallingCode', '+49', 'additionalPhones', '[]'::jsonb),
    ${oneOf(jobTitles, `${mixed(13)} / 3`)}, ${oneOf(cities, `${mixed(101)} / 5`)}, ${idSql("company", "company")}
  from generate_series(1, ${people}) as n,
    lateral (select ${oneOf(firstNames, `${mixed(53)} / 3`)} as first, ${last} as last, 1 + ${mixed(48_271)} % ${companies} as company) as parts`;
}
