import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** A point of the dialogue: the greeting, a command, or the mail's whole text. */
export type SmtpPoint = "greeting" | "EHLO" | "MAIL" | "RCPT" | "DATA" | "text";

/** What the server says at a point: a line, or whatever it does with the connection itself. */
export type SmtpReply = string | ((socket: Socket) => void);

/** It says nothing, for ever. */
export const stalls: SmtpReply = () => {};

/** A mail server that follows a script word for word, however wrong that is. */
export interface ScriptedSmtp {
  readonly port: number;
  /** Points that were reached, in order, over all connections. */
  readonly reached: SmtpPoint[];
  /** What it was sent, line by line. */
  readonly lines: string[];
  /** Connections that are open. */
  open(): number;
}

const wellBehaved: Record<SmtpPoint, SmtpReply> = {
  greeting: "220 test",
  EHLO: "250 test",
  MAIL: "250 ok",
  RCPT: "250 ok",
  DATA: "354 go on",
  text: "250 taken",
};

/** Starts one on the loopback, by default on a free port; it ends with the test. */
export async function startScriptedSmtp(
  script: Partial<Record<SmtpPoint, SmtpReply>> = {},
  port = 0,
): Promise<ScriptedSmtp> {
  const replies = { ...wellBehaved, ...script };
  const reached: SmtpPoint[] = [];
  const lines: string[] = [];
  const sockets = new Set<Socket>();
  const reply = (socket: Socket, point: SmtpPoint): void => {
    reached.push(point);
    const said = replies[point];
    if (typeof said === "function") said(socket);
    else socket.write(`${said}\r\n`);
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
    reply(socket, "greeting");
    let [rest, isText] = ["", false];
    socket.on("data", (chunk) => {
      rest += chunk.toString();
      for (let end = rest.indexOf("\r\n"); end >= 0; end = rest.indexOf("\r\n")) {
        const line = rest.slice(0, end);
        rest = rest.slice(end + 2);
        lines.push(line);
        if (isText && line !== ".") continue;
        const point = isText ? "text" : pointOf(line);
        isText = point === "DATA" && replies.DATA === wellBehaved.DATA;
        if (point !== undefined) reply(socket, point);
        else socket.end("221 bye\r\n");
      }
    });
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port was given");
  onTestFinished(async () => {
    sockets.forEach((socket) => socket.destroy());
    await new Promise((resolve) => server.close(resolve));
  });
  return { port: address.port, reached, lines, open: () => sockets.size };
}

/** Undefined: what ends the dialogue. */
function pointOf(line: string): SmtpPoint | undefined {
  const command = line.slice(0, 4).toUpperCase();
  return (["EHLO", "MAIL", "RCPT", "DATA"] as const).find((known) => known === command);
}
