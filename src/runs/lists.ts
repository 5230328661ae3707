/**
 * SQL: a run's trigger (`r` is tandem.runs) with those of its long lists put in that the sub-paths name; the
 * others stay `{ count }`. A run without such lists costs nothing.
 */
export function triggerDocument(subs: string): string {
  return `(case when r.list_names is null then r.trigger else r.trigger || coalesce((
      select jsonb_object_agg(n.name, coalesce((
        select jsonb_agg(i.item order by l.page, i.position) from tandem.run_lists l
          cross join jsonb_array_elements(l.items) with ordinality i(item, position)
        where l.run_id = r.id and l.name = n.name), '[]'::jsonb))
      from unnest(r.list_names) n(name)
      where exists (select 1 from jsonb_array_elements(${subs}) s(sub) where s.sub ->> 0 is null or s.sub ->> 0 = n.name)), '{}'::jsonb) end)`;
}
