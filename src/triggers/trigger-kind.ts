import type { z } from "zod";
import type { Objects } from "../crm/objects.ts";
import type { ViewNames } from "../crm/views.ts";
import type { Issue } from "../errors.ts";
import type { JsonObject } from "../json.ts";

/** What may be read below a value, by key; `true`: no more is known of it. */
export type Given = { readonly [name: string]: Given | true };

/** What a kind's own check knows besides the settings. */
export interface TriggerCheck {
  readonly objects: Objects;
  /** Names of the views by object; undefined: views are not checked. */
  readonly views?: ViewNames | undefined;
  /** Names of the workspace's secrets; undefined: they are not checked. */
  readonly secrets?: ReadonlySet<string> | undefined;
  /** Keys of the workspace's workflows; undefined: they are not checked. */
  readonly workflows?: ReadonlySet<string> | undefined;
  /** The trigger's place in the definition. */
  readonly at: string;
}

/** What a kind's warnings know besides the settings that a trigger is armed with. */
export interface TriggerWarning {
  /** The workspace's. */
  readonly timeZone: string;
  readonly now: Date;
  /** The trigger's place in the definition. */
  readonly at: string;
}

/** A way to start a run. One file a kind, one line in the registry. */
export interface TriggerKind {
  readonly kind: string;
  readonly title: string;
  readonly description: string;
  /** What a definition says of it beside `id` and `kind`. */
  readonly settings: z.ZodObject;
  /**
   * Keys of the settings in which expressions are the kind's own affair, such as an answer to a request.
   * In the others they may read the workflow's settings, and are resolved when the trigger is armed.
   */
  readonly late?: readonly string[];
  /** Keys below which nothing may be left out by `optional`: without it more would be allowed than was meant. */
  readonly strict?: readonly string[];
  /** What expressions may read below `trigger`, besides `id` and `kind`. Settings as written: any may lack. */
  gives(settings: JsonObject): Given;
  /**
   * Names that must be there: objects, fields, views. The settings have passed `settings`; expressions
   * that are resolved when the trigger is armed may stand in them before.
   */
  check?(settings: JsonObject, context: TriggerCheck): Issue[];
  /** What is right, but may not be what was meant: told when the trigger is armed. */
  warn?(settings: JsonObject, context: TriggerWarning): Issue[];
  /** Settings and an example of what it gives, for docs and tests. */
  readonly sample: { readonly settings: JsonObject; readonly gives: JsonObject };
}

export type TriggerKinds = Readonly<Record<string, TriggerKind>>;
