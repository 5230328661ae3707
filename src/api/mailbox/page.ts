import { Router } from "express";

/** Nothing from elsewhere, nothing inline; a mail's HTML lives in a sandboxed frame without scripts. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The page `/mailbox`: opens without a key and asks for it in the browser. */
export function mailboxPage(): Router {
  const router = Router();
  router.get("/", (_request, response) => {
    response.set("content-security-policy", policy).type("html").send(html);
  });
  router.get("/app.js", (_request, response) => void response.type("text/javascript").send(script));
  router.get("/style.css", (_request, response) => void response.type("text/css").send(style));
  return router;
}

const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Mailbox · Tandem</title>
<link rel="stylesheet" href="/mailbox/style.css">
<script src="/mailbox/app.js" defer></script>
</head>
<body>
<header><h1>Mailbox</h1><p id="state" role="status" aria-live="polite"></p><button id="refresh" type="button" hidden>Refresh</button></header>
<form id="login" hidden>
<label for="key">API key</label>
<input id="key" name="key" type="password" autocomplete="off" spellcheck="false" required>
<button type="submit">Open</button>
<p class="hint">It is in <code>.tandem/api-key</code>, and stays in this browser tab.</p>
</form>
<main hidden>
<ul id="list" aria-label="Mails, newest first"></ul>
<article id="mail" aria-live="polite"><p class="hint">Choose a mail.</p></article>
</main>
</body>
</html>
`;

const style = `:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); --soft: color-mix(in srgb, currentColor 60%, transparent); --mark: #2f6fde; }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; display: flex; flex-direction: column; height: 100vh; }
header { display: flex; align-items: baseline; gap: 1rem; padding: .8rem 1.2rem; border-bottom: 1px solid var(--line); }
h1 { font-size: 1.1rem; margin: 0; }
#state { margin: 0; color: var(--soft); flex: 1; }
button, input { font: inherit; padding: .35rem .8rem; border: 1px solid var(--line); border-radius: 6px; background: transparent; color: inherit; }
button { cursor: pointer; }
:focus-visible { outline: 2px solid var(--mark); outline-offset: 1px; }
form { padding: 1.2rem; display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; }
form input { width: min(32rem, 100%); }
form .hint { flex-basis: 100%; }
.hint { color: var(--soft); margin: 0; }
main { flex: 1; display: grid; grid-template-columns: minmax(16rem, 26rem) 1fr; min-height: 0; }
#list { list-style: none; margin: 0; padding: 0; overflow: auto; border-right: 1px solid var(--line); }
#list button { display: block; width: 100%; text-align: left; border: 0; border-bottom: 1px solid var(--line); border-radius: 0; padding: .6rem 1.2rem; }
#list button[aria-current="true"] { background: color-mix(in srgb, var(--mark) 14%, transparent); }
#list strong, #list span { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
#list span { color: var(--soft); font-size: .87rem; }
article { padding: 1.2rem; overflow: auto; }
article h2 { margin: 0 0 .6rem; font-size: 1.15rem; }
article dl { display: grid; grid-template-columns: auto 1fr; gap: .1rem .8rem; margin: 0 0 1rem; color: var(--soft); font-size: .9rem; }
article dd { margin: 0; overflow-wrap: anywhere; }
article pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; margin: 0; }
iframe { width: 100%; min-height: 24rem; border: 1px solid var(--line); border-radius: 6px; background: white; margin-top: 1rem; }
@media (max-width: 700px) { main { grid-template-columns: 1fr; grid-template-rows: 40% 1fr; } #list { border-right: 0; border-bottom: 1px solid var(--line); } }
`;

const script = `"use strict";
const $ = (id) => document.getElementById(id);
const main = document.querySelector("main");
let chosen;
let shown = "";

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

async function load() {
  const key = sessionStorage.getItem("tandem-key");
  if (key === null) return askForKey("");
  let answer;
  try {
    answer = await fetch("/api/mailbox?limit=200", { headers: { authorization: "Bearer " + key } });
  } catch {
    $("state").textContent = "Tandem does not answer. It is tried again.";
    return;
  }
  if (answer.status === 401) {
    sessionStorage.removeItem("tandem-key");
    return askForKey("That key is not known.");
  }
  if (!answer.ok) {
    $("state").textContent = "The mailbox cannot be read right now.";
    return;
  }
  const { data } = await answer.json();
  show(data);
}

function askForKey(why) {
  shown = "";
  $("login").hidden = false;
  main.hidden = true;
  $("refresh").hidden = true;
  $("state").textContent = why;
  $("key").focus();
}

function show(mails) {
  $("login").hidden = true;
  main.hidden = false;
  $("refresh").hidden = false;
  $("state").textContent = mails.length === 0 ? "No mail yet." : mails.length === 1 ? "1 mail" : mails.length + " mails";
  // Most refreshes bring nothing new, and who reads or moves by keyboard must not be thrown out.
  const ids = mails.map((mail) => mail.id).join();
  if (ids === shown) return;
  shown = ids;
  const focused = document.activeElement?.dataset.mail;
  $("list").replaceChildren(...mails.map(item));
  if (focused !== undefined) $("list").querySelector('[data-mail="' + focused + '"]')?.focus();
}

function item(mail) {
  const button = element("button", undefined, { type: "button", "data-mail": mail.id });
  button.append(element("strong", mail.subject || "(no subject)"), element("span", mail.to.join(", ") + " · " + new Date(mail.receivedAt).toLocaleString()));
  if (mail.id === chosen) button.setAttribute("aria-current", "true");
  button.addEventListener("click", () => open(mail, button));
  const entry = element("li");
  entry.append(button);
  return entry;
}

function open(mail, button) {
  chosen = mail.id;
  for (const other of $("list").querySelectorAll("[aria-current]")) other.removeAttribute("aria-current");
  button.setAttribute("aria-current", "true");
  const facts = element("dl");
  const rows = [["From", mail.from], ["To", mail.to.join(", ")], ["Received", new Date(mail.receivedAt).toLocaleString()], ["Message-ID", mail.headers["message-id"] || ""]];
  for (const [name, value] of rows) facts.append(element("dt", name), element("dd", value));
  $("mail").replaceChildren(element("h2", mail.subject || "(no subject)"), facts);
  if (mail.text !== null) $("mail").append(element("pre", mail.text));
  if (mail.html !== null) {
    const frame = element("iframe", undefined, { sandbox: "", title: "The mail's HTML" });
    frame.srcdoc = mail.html;
    $("mail").append(frame);
  }
}

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("tandem-key", $("key").value.trim());
  $("key").value = "";
  void load();
});
$("refresh").addEventListener("click", () => void load());
setInterval(() => { if (!main.hidden && !document.hidden) void load(); }, 5000);
void load();
`;
