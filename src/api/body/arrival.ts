import type { IncomingMessage } from "node:http";

/** How long a whole request may take to arrive. */
const wholeMs = 30_000;

const timers = new WeakMap<IncomingMessage, NodeJS.Timeout>();

/** Cuts off a sender whose request is not there in time: one that trickles would hold its connection for ever. */
export function limitArrival(request: IncomingMessage): void {
  timers.set(
    request,
    setTimeout(() => request.destroy(), wholeMs),
  );
  request.once("end", () => liftLimit(request)).once("close", () => liftLimit(request));
}

/** For who sees to it otherwise that the sender goes on. */
export function liftLimit(request: IncomingMessage): void {
  clearTimeout(timers.get(request));
}
