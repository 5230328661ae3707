-- Full-text search without extensions, so that any managed Postgres will do. An object's index is made on
-- to_tsvector('simple', tandem.fold(…)); whoever searches writes the same expression.

-- A text as it is searched: without case and accents, punctuation as spaces, so that the parts of e-mails,
-- domains and hyphenated names are words. Its cost says what it takes: the planner must not try it on every row.
create function tandem.fold(value text) returns text
language plpgsql immutable strict parallel safe cost 400 as $$
declare
  folded text := lower(value);
begin
  if octet_length(folded) <> length(folded) then
    folded := regexp_replace(lower(normalize(folded, nfkd)), '[\u0300-\u036f]', '', 'g');
    folded := translate(folded, 'øłđðħıŧς', 'olddhitσ');
    folded := replace(replace(replace(replace(folded, 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th');
  end if;
  -- Of ASCII all but letters and digits; beyond it dashes, quotes, spaces and the marks of the East.
  return regexp_replace(folded, '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u2000-\u206f\u3000-\u303f\ufe30-\ufe6f]', ' ', 'g');
end
$$;

-- What is sought for, as a query: every word, each as it is or, with `prefixes`, as the beginning of one.
-- Null, which matches nothing, where there is no word. Digits written as a phone number are also sought as one number.
create function tandem.search_query(sought text, prefixes boolean) returns tsquery
language plpgsql immutable strict parallel safe as $$
declare
  ending text := case when prefixes then ':*' else '' end;
  words text := (
    select string_agg('''' || word || '''' || ending, ' & ')
    from (select distinct word from regexp_split_to_table(tandem.fold(sought), ' +') as w(word) where word <> '' limit 32) as words);
  digits text := ltrim(regexp_replace(replace(sought, '(0)', ''), '\D', '', 'g'), '0');
begin
  if words is null then
    return null;
  end if;
  if sought ~ '^[-+0-9 ()./]+$' and length(digits) >= 5 then
    return to_tsquery('simple', '(' || words || ') | ' || digits || ending);
  end if;
  return to_tsquery('simple', words);
end
$$;

create function tandem.number_words(number text, calling_code text) returns text
language plpgsql immutable parallel safe as $$
declare
  digits text := regexp_replace(replace(coalesce(number, ''), '(0)', ''), '\D', '', 'g');
  code text := regexp_replace(coalesce(calling_code, ''), '\D', '', 'g');
  is_international boolean := ltrim(coalesce(number, '')) like '+%' and starts_with(digits, code);
  significant text := ltrim(case when is_international then substr(digits, length(code) + 1) else digits end, '0');
begin
  return digits || ' ' || significant || ' ' || code || significant;
end
$$;

-- The digits of a phones field as words: each number as it is, without zeros before it, and with its calling code.
create function tandem.phone_words(phones jsonb) returns text
language plpgsql immutable strict parallel safe as $$
declare
  words text := tandem.number_words(phones ->> 'primaryPhoneNumber', phones ->> 'primaryPhoneCallingCode');
  phone jsonb;
begin
  if phones @> '{"additionalPhones": [{}]}' then
    for phone in select value from jsonb_array_elements(phones -> 'additionalPhones') loop
      words := words || ' ' || tandem.number_words(phone ->> 'number', phone ->> 'callingCode');
    end loop;
  end if;
  return words;
end
$$;

-- A list as one text. Postgres has array_to_string as stable for the sake of types whose text varies.
create function tandem.joined(list text[]) returns text
language plpgsql immutable strict parallel safe as $$
begin
  return array_to_string(list, ' ');
end
$$;

-- Views: saved filter, sort and columns of an object -------------------------------------------

create table tandem.views (
  id uuid primary key,
  workspace_id uuid not null references tandem.workspaces,
  object_id uuid not null references tandem.objects on delete cascade,
  -- As definitions and the API name it; unique for its object.
  name text not null,
  label text not null,
  filter jsonb,
  sort jsonb not null default '[]',
  columns jsonb not null default '[]',
  search text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (object_id, name)
);
create index views_by_workspace on tandem.views (workspace_id, id);
