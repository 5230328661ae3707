import type { z } from "zod";

/** A way to start a run. One file a kind, one line in the registry. */
export interface TriggerKind {
  readonly kind: string;
  readonly title: string;
  readonly description: string;
  /** What a definition says of it beside `id` and `kind`. */
  readonly settings: z.ZodObject;
  /** What expressions may read below `trigger`, besides `id` and `kind`. */
  readonly gives: readonly string[];
  /** Settings and an example of what it gives, for docs and tests. */
  readonly sample: { readonly settings: object; readonly gives: object };
}

export type TriggerKinds = Readonly<Record<string, TriggerKind>>;
