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
  return (text) => {
    const spans: Array<{ start: number; end: number }> = [];
    let state = root;
    for (let i = 0; i < text.length; i++) {
      state = follow(state, text.charCodeAt(i), root);
      if (state.longest > 0) cover(spans, { start: i + 1 - state.longest, end: i + 1 });
    }
    return spans;
  };
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
