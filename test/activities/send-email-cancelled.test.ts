import { describe, expect, test } from "vitest";
import { stalls, startScriptedSmtp, type SmtpPoint } from "../support/scripted-smtp.ts";
import { startTestSmtp } from "../support/smtp.ts";
import { until } from "../support/until.ts";
import { createMailStep, hello, thrownBy, transportTo } from "./mail-step.ts";

describe("a step that is cancelled", () => {
  test("begins no other mail", async () => {
    const smtp = await startTestSmtp();
    const cancel = new AbortController();
    smtp.behaviour = { data: () => new Promise(() => {}) };
    const attempt = createMailStep(transportTo(smtp.port), {
      ...hello,
      to: ["a@x.com", "b@x.com"],
      oneEach: true,
    }).attempt(cancel.signal);
    const failed = thrownBy(attempt);
    await until("the first mail is on its way", () => smtp.mails.length === 1);
    cancel.abort(new Error("cancelled"));
    expect(await failed).toMatchObject({ message: "cancelled" });
    expect(smtp.mails).toHaveLength(1);
  });

  const points: SmtpPoint[] = ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "text"];
  test.each(points)("while the server is silent at its %s ends at once and leaves no connection", async (point) => {
    const smtp = await startScriptedSmtp({ [point]: stalls });
    const cancel = new AbortController();
    const failed = thrownBy(createMailStep(transportTo(smtp.port), hello).attempt(cancel.signal));
    await until(`it is silent at its ${point}`, () => smtp.reached.at(-1) === point);
    const before = performance.now();
    cancel.abort(new Error("cancelled"));
    expect(await failed).toMatchObject({ message: "cancelled" });
    await until("the connection is closed", () => smtp.open() === 0, 3_000);
    expect(performance.now() - before).toBeLessThan(3_000);
  });

  test("while the server trickles its answer ends at once", async () => {
    let trickle: NodeJS.Timeout | undefined;
    const smtp = await startScriptedSmtp({
      EHLO: (socket) => {
        trickle = setInterval(() => socket.write("250-and so on\r\n"), 20);
        socket.once("close", () => clearInterval(trickle));
      },
    });
    const cancel = new AbortController();
    const failed = thrownBy(createMailStep(transportTo(smtp.port), hello).attempt(cancel.signal));
    await until("it trickles", () => smtp.reached.includes("EHLO"));
    cancel.abort(new Error("cancelled"));
    expect(await failed).toMatchObject({ message: "cancelled" });
    await until("the connection is closed", () => smtp.open() === 0, 3_000);
  });
});
