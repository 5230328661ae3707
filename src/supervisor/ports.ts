import { createServer } from "node:net";
import type { Config } from "../config.ts";

/** Below the range from which systems take ports for outgoing connections: those come and go. */
const range = { from: 15_000, to: 31_000 };

/** A port on 127.0.0.1 that nobody listens on, other than those in `taken`. */
export async function chooseFreePort(taken: readonly number[] = []): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = range.from + Math.floor(Math.random() * (range.to - range.from));
    if (!taken.includes(port) && (await isFree(port, "127.0.0.1"))) return port;
  }
  throw new Error("There is no free port on 127.0.0.1 between 15000 and 31000.");
}

/** Whether a server could listen on `host:port` now. Throws when `host` is no address of this machine. */
export async function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(error);
    });
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** Throws a sentence when the gateway could not listen where it is told to. */
export async function refuseUsedPort({ HOST, PORT }: Pick<Config, "HOST" | "PORT">): Promise<void> {
  const free = await isFree(PORT, HOST).catch((cause: NodeJS.ErrnoException) => {
    throw new Error(
      `Tandem cannot listen on ${HOST}:${PORT} (${cause.code ?? cause.message}). Set HOST and PORT to an address of this machine.`,
    );
  });
  if (free) return;
  throw new Error(
    `Port ${PORT} on ${HOST} is used by another program. Stop that, or choose another port: PORT=${PORT + 1} npm start.`,
  );
}
