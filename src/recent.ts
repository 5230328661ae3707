/** A map that keeps what was used last and forgets the rest. */
export interface Recent<Key, Value> {
  get(key: Key): Value | undefined;
  set(key: Key, value: Value): void;
  delete(key: Key): boolean;
}

/** Keeps at most `most` entries. */
export function createRecent<Key, Value>(most: number): Recent<Key, Value> {
  // A map remembers the order of insertion: what is used is put at the end, what stands first is the oldest.
  const entries = new Map<Key, Value>();
  const set = (key: Key, value: Value): void => {
    entries.delete(key);
    entries.set(key, value);
    const [oldest] = entries.size > most ? entries.keys() : [];
    if (oldest !== undefined) entries.delete(oldest);
  };
  return {
    get(key) {
      const value = entries.get(key);
      if (value !== undefined) set(key, value);
      return value;
    },
    set,
    delete: (key) => entries.delete(key),
  };
}
