/** Says one short sentence to the person who started Tandem. */
export type Say = (sentence: string) => void;

/**
 * Runs `work`. When it takes longer than two seconds says what is going on, and again every fifteen,
 * with the time that has passed.
 */
export async function withProgress<T>(say: Say, what: string, work: () => Promise<T>): Promise<T> {
  const started = Date.now();
  const report = () => say(`${what} (${describeDuration(Date.now() - started)})`);
  let again: NodeJS.Timeout | undefined;
  const first = setTimeout(() => {
    report();
    again = setInterval(report, 15_000);
  }, 2_000);
  try {
    return await work();
  } finally {
    clearTimeout(first);
    clearInterval(again);
  }
}

/** `2 s`, `1 min 5 s`. */
export function describeDuration(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
