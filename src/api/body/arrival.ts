import type { IncomingMessage, ServerResponse } from "node:http";

/** How long a whole request may take to arrive. */
export const arrivalMs = 30_000;

const timers = new WeakMap<IncomingMessage, NodeJS.Timeout>();

/**
 * Cuts off a sender whose request is not there in time, with 408 where nothing is answered yet: one that
 * trickles would hold its connection for ever.
 */
export function limitArrival(request: IncomingMessage, response?: ServerResponse, ms = arrivalMs): void {
  liftLimit(request);
  timers.set(
    request,
    setTimeout(() => cutOff(request, response), ms),
  );
  request.once("end", () => liftLimit(request)).once("close", () => liftLimit(request));
}

/** For who sees to it otherwise that the sender goes on. */
export function liftLimit(request: IncomingMessage): void {
  clearTimeout(timers.get(request));
}

function cutOff(request: IncomingMessage, response: ServerResponse | undefined): void {
  if (response === undefined || response.headersSent) request.destroy();
  else response.writeHead(408, { connection: "close" }).end(() => request.destroy());
}
