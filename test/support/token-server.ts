import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll } from "vitest";

/** What was asked of the token endpoint. */
export interface TokenAsked {
  readonly form: Record<string, string>;
  readonly headers: IncomingMessage["headers"];
}

export interface TokenServer {
  readonly url: string;
  readonly asked: TokenAsked[];
  /** Answers the next request with this instead of a token. */
  answerNext(status: number, body: unknown, headers?: Record<string, string>): void;
  /** Keeps requests unanswered until what it gives is called. */
  hold(): () => void;
  /** What a token says besides itself, from now on. */
  say(more: Record<string, unknown>): void;
  /** Gives a new refresh token with each token and takes the one before no longer. */
  rotate(first: string): void;
}

/** An authorization server of another company, over HTTP on loopback: `access-1`, `access-2` and so on. */
export async function startTokenServer(): Promise<TokenServer> {
  const asked: TokenAsked[] = [];
  const next: Array<{ status: number; body: unknown; headers: Record<string, string> }> = [];
  let [held, more, current, count]: [
    Promise<unknown> | undefined,
    Record<string, unknown>,
    string | undefined,
    number,
  ] = [undefined, { expires_in: 3600 }, undefined, 0];

  const answer = (
    form: Record<string, string>,
  ): { status: number; body: unknown; headers?: Record<string, string> } => {
    const planned = next.shift();
    if (planned !== undefined) return planned;
    if (current !== undefined && form["refresh_token"] !== current)
      return { status: 400, body: { error: "invalid_grant", error_description: "used, or never given" } };
    count += 1;
    if (current !== undefined) current = `refresh-${count}`;
    const refresh = current === undefined ? {} : { refresh_token: current };
    return { status: 200, body: { access_token: `access-${count}`, token_type: "Bearer", ...more, ...refresh } };
  };
  const server = createServer((request, response) => {
    void (async () => {
      const form = Object.fromEntries(new URLSearchParams(await text(request)));
      asked.push({ form, headers: request.headers });
      await held;
      const { status, body, headers } = answer(form);
      response.writeHead(status, { "content-type": "application/json", ...headers });
      response.end(typeof body === "string" ? body : JSON.stringify(body));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  afterAll(() => new Promise((resolve) => server.close(resolve)));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    asked,
    answerNext: (status, body, headers = {}) => void next.push({ status, body, headers }),
    hold() {
      let release: () => void = () => {};
      held = new Promise<void>((resolve) => (release = resolve));
      return release;
    },
    say: (said) => void (more = said),
    rotate: (first) => void (current = first),
  };
}
