import { compileAddresses } from "./addresses.ts";
import type { Authentication } from "./authentication.ts";
import { basic, bearer, headerKey, queryKey } from "./credentials.ts";
import { describedScheme } from "./hmac.ts";
import { presets } from "./presets.ts";
import type { AuthenticationSettings } from "./settings.ts";
import { compileHmac } from "./signature-scheme.ts";
import { compileStandardWebhooks } from "./standard-webhooks.ts";

/** Compiles a webhook's authentication once for many requests. Where it comes from is looked at first. */
export function compileAuthentication(settings: AuthenticationSettings): Authentication {
  const authentication = compileKind(settings);
  if (settings.kind === "none" || settings.allowFrom === undefined) return authentication;
  const refuseAddress = compileAddresses(settings.allowFrom);
  return {
    ...authentication,
    verify: (request, secrets) => refuseAddress(request.ip) ?? authentication.verify(request, secrets),
  };
}

/** Lets everybody through: for webhooks that ask for nothing, or for no more than an address. */
const open: Authentication = {
  secretNames: [],
  sensitiveHeaders: [],
  sensitiveQuery: [],
  verify: () => ({ ok: true, previous: false }),
};

function compileKind(settings: AuthenticationSettings): Authentication {
  switch (settings.kind) {
    case "none":
    case "ip":
      return open;
    case "bearer":
      return bearer(settings.secret);
    case "basic":
      return basic(settings.user, settings.secret);
    case "header":
      return headerKey(settings.header, settings.secret);
    case "query":
      return queryKey(settings.parameter, settings.secret);
    case "standard-webhooks":
      return compileStandardWebhooks(settings);
    case "hmac":
      return compileHmac(settings.secret, describedScheme(settings));
    case "stripe":
    case "github":
    case "slack":
    case "shopify":
    case "twenty":
      return compileHmac(settings.secret, presets[settings.kind]);
  }
}
