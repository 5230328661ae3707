/** A stretch of a text, its end left out. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A place in the tree of all patterns (Aho and Corasick, 1975). */
interface State {
  readonly next: Map<number, State>;
  /** Where what was read so far ends as the beginning of another pattern, the longest such. */
  shorter: State | undefined;
  /** Length of the longest pattern that ends here. */
  longest: number;
}

/**
 * Finds all that the patterns cover in a text: stretches in order, none touching another. The text is
 * read once, in time that does not depend on how many patterns there are.
 */
export function createMatcher(patterns: readonly string[]): (text: string) => Span[] {
  const root = createState();
  for (const pattern of patterns) {
    let state = root;
    for (let i = 0; i < pattern.length; i++) {
      const unit = pattern.charCodeAt(i);
      const known = state.next.get(unit) ?? createState();
      state.next.set(unit, known);
      state = known;
    }
    state.longest = pattern.length;
  }
  linkShorter(root);
  const begins = createBeginnings(patterns);
  return (text) => {
    const spans: Array<{ start: number; end: number }> = [];
    let state = root;
    for (let i = 0; i < text.length; i++) {
      // Of a long text nearly all is passed by here.
      if (state === root && begins[pairAt(text, i)] === 0) continue;
      state = follow(state, text.charCodeAt(i), root);
      if (state.longest > 0) cover(spans, { start: i + 1 - state.longest, end: i + 1 });
    }
    return spans;
  };
}

/** By two units at the beginning of a pattern, as `pairAt` numbers them: whether one begins like that. */
function createBeginnings(patterns: readonly string[]): Uint8Array {
  const begins = new Uint8Array(0x10000);
  for (const pattern of patterns) {
    if (pattern.length > 1) begins[pairAt(pattern, 0)] = 1;
    // Whatever comes after it.
    else for (let next = 0; next < 0x100; next++) begins[pairAt(pattern + String.fromCharCode(next), 0)] = 1;
  }
  return begins;
}

/** Two units as one number of 16 bits: several pairs may share one. */
function pairAt(text: string, place: number): number {
  return ((text.charCodeAt(place) & 0xff) << 8) | (text.charCodeAt(place + 1) & 0xff);
}

function createState(): State {
  return { next: new Map(), shorter: undefined, longest: 0 };
}

/** Level by level, so that what is shorter is linked already. */
function linkShorter(root: State): void {
  const queue: State[] = [root];
  for (const state of queue) {
    for (const [unit, child] of state.next) {
      child.shorter = state === root ? root : follow(state.shorter ?? root, unit, root);
      child.longest ||= child.shorter.longest;
      queue.push(child);
    }
  }
}

function follow(from: State, unit: number, root: State): State {
  for (let state: State | undefined = from; state !== undefined; state = state.shorter) {
    const next = state.next.get(unit);
    if (next !== undefined) return next;
  }
  return root;
}

/** Adds a stretch that ends behind all others, and makes one of those that it touches. */
function cover(spans: Array<{ start: number; end: number }>, { start, end }: Span): void {
  let from = start;
  for (let last = spans.at(-1); last !== undefined && last.end >= from; last = spans.at(-1)) {
    from = Math.min(from, last.start);
    spans.pop();
  }
  spans.push({ start: from, end });
}
