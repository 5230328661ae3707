import { ProblemError, StepError } from "../errors.ts";
import type { Json } from "../json.ts";
import { createRedactor, type Redactor } from "../vault/redactor.ts";
import type { OpenedSecrets, Vault } from "../vault/vault.ts";

/** What one attempt knows of secrets, and what it takes out of all that is kept of the step. */
export interface StepSecrets extends Redactor {
  /** Values by name. Throws StepError where one is not there. */
  open(names: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Values that are known so far, by name. */
  known(): ReadonlyMap<string, string>;
  /** Names further texts that are to be taken out. */
  conceal(texts: Iterable<string>): void;
}

/**
 * Secrets of an attempt. Taken out are the values that it opened, and all of the secrets named in
 * `granted`: what the workflow may use may come back to it in an answer or by another way.
 */
export async function createStepSecrets(
  { vault, workspaceId }: { vault: Vault; workspaceId: string },
  granted: readonly string[],
): Promise<StepSecrets> {
  const hidden = new Set<string>();
  const known = new Map<string, string>();
  let redactor: Redactor | undefined;
  const conceal = (texts: Iterable<string>): void => {
    for (const text of texts) {
      if (hidden.has(text)) continue;
      hidden.add(text);
      redactor = undefined;
    }
  };
  const load = async (names: readonly string[]): Promise<OpenedSecrets> => {
    const opened = await vault.openSecrets(workspaceId, names).catch((error: unknown) => {
      if (!(error instanceof ProblemError)) throw error;
      throw new StepError(error.code, error.message, { cause: error });
    });
    for (const [name, values] of opened) {
      const texts = values.map((value) => value.toString());
      conceal(texts);
      if (texts[0] !== undefined) known.set(name, texts[0]);
    }
    return opened;
  };
  const current = (): Redactor => (redactor ??= createRedactor(hidden));
  await load(granted);
  return {
    conceal,
    async open(names) {
      const opened = await load(names);
      return new Map(names.map((name) => [name, valueOf(opened, name)]));
    },
    known: () => known,
    text: (text) => (hidden.size === 0 ? text : current().text(text)),
    json: (value: Json) => (hidden.size === 0 ? value : current().json(value)),
  };
}

/** The value that counts: the first. */
function valueOf(opened: OpenedSecrets, name: string): string {
  const value = opened.get(name)?.[0];
  if (value !== undefined) return value.toString();
  throw new StepError(
    "unknown-secret",
    `The workspace has no secret ${name} any more. Keep it again under this name, or let the step name another.`,
  );
}
