import { createHash, createHmac, randomUUID } from "node:crypto";
import type { QuickJSContext, QuickJSHandle } from "quickjs-emscripten-core";
import { z } from "zod";
import { dateFilters } from "../../definition/expressions/dates.ts";
import { ValueFault } from "../../definition/expressions/values.ts";
import type { Json } from "../../json.ts";
import { mostDataBytes, mostLogBytes } from "../limits.ts";

/** What a job's helpers may know. */
export interface Surroundings {
  readonly timeZone: string;
  readonly now: Date;
}

/** The host's side of the one function that code can reach, through the helpers. */
export interface Bridge {
  readonly handle: QuickJSHandle;
  /** What the console said so far. */
  log(): string;
}

type Offer = (texts: readonly string[]) => string;

/** What stands under its own name among the helpers. */
interface TextOffer {
  /** How many it takes. */
  readonly texts: number;
  readonly run: Offer;
}

/** A fault of what code asked, told to it. */
class AskingFault extends Error {
  override readonly name = "AskingFault";
}

const leftOut = "… the rest was left out: 64 KiB are kept\n";
const most = 3;

/**
 * Lends the interpreter one function: a name of a closed list and up to three texts in, a text out.
 * Every offer is pure but for the log and for ids; none reads a file, speaks to anybody or keeps anything.
 */
export function createBridge(context: QuickJSContext, surroundings: () => Surroundings): Bridge {
  let log = "";
  let isFull = false;
  const offers: Readonly<Record<string, Offer>> = {
    ...mapValues(textOffers, ({ run }) => run),
    texts: () => JSON.stringify(mapValues(textOffers, ({ texts }) => texts)),
    dates: () => JSON.stringify(mapValues(dateFilters, ({ takes }) => takes)),
    date: ([name = "", values = ""]) => JSON.stringify(reckon(name, values, surroundings())),
    log([line = ""]) {
      const room = mostLogBytes - Buffer.byteLength(log);
      isFull ||= Buffer.byteLength(line) >= room;
      log += isFull
        ? `${Buffer.from(line)
            .subarray(0, Math.max(room - 4, 0))
            .toString("utf8")}\n${leftOut}`
        : `${line}\n`;
      return isFull ? "full" : "more";
    },
  };
  const handle = context.newFunction("host", (...given) => {
    const [name, ...texts] = given.slice(0, most + 1).map((value) => readText(context, value));
    const offer = name !== undefined && Object.hasOwn(offers, name) ? offers[name] : undefined;
    if (offer === undefined || (isFull && name === "log")) return context.newString("!There is no such helper");
    return context.newString(answer(offer, texts));
  });
  return { handle, log: () => log };
}

function mapValues<From, To>(record: Readonly<Record<string, From>>, map: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]));
}

/** Nothing but text crosses. */
function readText(context: QuickJSContext, value: QuickJSHandle): string {
  return context.typeof(value) === "string" ? context.getString(value) : "";
}

function answer(offer: Offer, texts: readonly string[]): string {
  try {
    if (texts.some((text) => text.length > mostDataBytes)) throw new AskingFault("the text is longer than 8 MiB");
    return `=${offer(texts)}`;
  } catch (error) {
    if (error instanceof ValueFault || error instanceof AskingFault) return `!${error.message}`;
    return "!The helper cannot take this";
  }
}

const valuesSchema = z.array(z.json() as z.ZodType<Json>).max(4);

function reckon(name: string, written: string, { timeZone, now }: Surroundings): Json {
  const filter = Object.hasOwn(dateFilters, name) ? dateFilters[name] : undefined;
  if (filter === undefined) throw new AskingFault("there is no such helper");
  const [value, ...args] = valuesSchema.parse(JSON.parse(written));
  return filter.run(value, args, { timeZone, now, spend() {} });
}

const encodings = ["hex", "base64", "base64url"] as const;

function encodingOf(name: string | undefined): (typeof encodings)[number] {
  const encoding = encodings.find((known) => known === (name ?? "hex"));
  if (encoding === undefined) throw new AskingFault(`a hash is written as ${encodings.join(", ")}`);
  return encoding;
}

function hashing(algorithm: string): TextOffer {
  return {
    texts: 2,
    run: ([text = "", encoding]) => createHash(algorithm).update(text, "utf8").digest(encodingOf(encoding)),
  };
}

function keyedHashing(algorithm: string): TextOffer {
  return {
    texts: 3,
    run: ([key = "", text = "", encoding]) =>
      createHmac(algorithm, key).update(text, "utf8").digest(encodingOf(encoding)),
  };
}

function ofOneText(run: (text: string) => string): TextOffer {
  return { texts: 1, run: ([text = ""]) => run(text) };
}

function decode(text: string, encoding: "base64" | "base64url"): string {
  const alphabet = encoding === "base64" ? /^[A-Za-z0-9+/]*={0,2}$/ : /^[A-Za-z0-9_-]*={0,2}$/;
  if (!alphabet.test(text)) throw new AskingFault(`this is no ${encoding}`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(text, encoding));
  } catch {
    throw new AskingFault(`what this ${encoding} holds is no text`);
  }
}

const textOffers: Readonly<Record<string, TextOffer>> = {
  uuid: { texts: 0, run: () => randomUUID() },
  sha256: hashing("sha256"),
  sha384: hashing("sha384"),
  sha512: hashing("sha512"),
  sha1: hashing("sha1"),
  md5: hashing("md5"),
  hmacSha256: keyedHashing("sha256"),
  hmacSha512: keyedHashing("sha512"),
  hmacSha1: keyedHashing("sha1"),
  base64Encode: ofOneText((text) => Buffer.from(text).toString("base64")),
  base64Decode: ofOneText((text) => decode(text, "base64")),
  base64UrlEncode: ofOneText((text) => Buffer.from(text).toString("base64url")),
  base64UrlDecode: ofOneText((text) => decode(text, "base64url")),
};
