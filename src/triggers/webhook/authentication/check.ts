import { didYouMean } from "../../../definition/suggest.ts";
import { at, type Issue } from "../../../errors.ts";
import { compileAuthentication } from "./compile.ts";
import { presets } from "./presets.ts";
import type { AuthenticationSettings } from "./settings.ts";

/**
 * Faults of settings that are well-formed but name secrets that there are not. `place` is where the
 * settings stand: `triggers[0].authentication`.
 */
export function checkAuthentication(
  settings: AuthenticationSettings,
  { secretNames, at: place }: { secretNames: ReadonlySet<string>; at: string },
): Issue[] {
  const { secretNames: wanted } = compileAuthentication(settings);
  return wanted
    .filter((name) => !secretNames.has(name))
    .map((name) => ({
      path: at(place, "secret"),
      message: `there is no secret "${name}"${didYouMean(name, secretNames) || "; make it by POST /api/secrets"}`,
    }));
}

/** Whether a sender is known by a signature that does not cover the address. */
export function signsBodyOnly(settings: AuthenticationSettings): boolean {
  if (settings.kind === "hmac") return !settings.content.includes("{url}");
  return settings.kind === "standard-webhooks" || Object.hasOwn(presets, settings.kind);
}
