import { at as placeOf, type Issue } from "../../errors.ts";
import type { TriggerCheck } from "../../triggers/trigger-kind.ts";
import type { Definition } from "../schema.ts";
import { checkTriggerSettings, placeOfTrigger } from "../trigger-settings.ts";
import type { ValidationContext } from "../validate.ts";

/** What the kinds of triggers may ask, of what validation knows. */
export function triggerChecks({ objects, views, secrets, workflows }: ValidationContext): Omit<TriggerCheck, "at"> {
  return { objects, views, secrets, workflows };
}

/** Checks ids, and of each trigger what its kind says of the settings. */
export function checkTriggers(definition: Definition, context: ValidationContext): Issue[] {
  const ids = definition.triggers.map(({ id }) => id);
  return definition.triggers.flatMap((trigger, position) => {
    const place = placeOfTrigger(position);
    const taken = ids.indexOf(trigger.id) < position;
    const kind = context.triggerKinds[trigger.kind];
    return [
      ...(taken ? [{ path: placeOf(place, "id"), message: `the id "${trigger.id}" is taken` }] : []),
      ...(kind === undefined ? [] : checkTriggerSettings(trigger, kind, { ...triggerChecks(context), at: place })),
    ];
  });
}
