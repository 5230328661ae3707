import type { Product } from "./product.ts";

/** What a number of senders met in a given time. */
export interface Load {
  readonly accepted: number;
  readonly refused: number;
  readonly seconds: number;
  /** Milliseconds of each answer, in ascending order. */
  readonly latencies: readonly number[];
}

/** `senders` post one after the other until `seconds` have gone by, or `most` posts were accepted. */
export async function post(
  product: Product,
  path: string,
  options: { senders: number; seconds?: number; most?: number; body(number: number): object },
): Promise<Load> {
  const { senders, seconds = 300, most = Number.POSITIVE_INFINITY, body } = options;
  const latencies: number[] = [];
  const begun = performance.now();
  let next = 0;
  let refused = 0;
  const sender = async (): Promise<void> => {
    while (performance.now() - begun < seconds * 1_000 && next < most) {
      const number = next++;
      const sentAt = performance.now();
      const { status } = await product.post(path, JSON.stringify(body(number)));
      if (status === 202) latencies.push(performance.now() - sentAt);
      else refused += 1;
    }
  };
  await Promise.all(Array.from({ length: senders }, sender));
  latencies.sort((a, b) => a - b);
  return { accepted: latencies.length, refused, seconds: (performance.now() - begun) / 1_000, latencies };
}

/** The value below which this share of the sorted values lies. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
