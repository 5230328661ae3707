import { Marked } from "marked";

/**
 * HTML of a mail's markdown. Raw HTML in it is dropped, and links lead to the web or to an address only.
 * What expressions put in is HTML-escaped before it comes here.
 */
export function renderMarkdown(source: string): string {
  const html = marked.parse(source, { async: false });
  return html.trim();
}

/** The same for who reads text: markdown is written to be read, and its values were escaped for HTML only. */
export function textOfMarkdown(source: string): string {
  return source.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: keyof typeof entities) => entities[name]);
}

const entities = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };
const safeLink = /^(https?:|mailto:)/i;

const marked = new Marked({
  gfm: true,
  renderer: {
    html: () => "",
    link({ href, tokens }) {
      const text = this.parser.parseInline(tokens);
      return safeLink.test(href) ? `<a href="${escapeAttribute(href)}">${text}</a>` : text;
    },
    // A picture would tell its owner when the mail is read: its text stands in for it.
    image: ({ text }) => escapeAttribute(text),
  },
});

function escapeAttribute(text: string): string {
  return text
    .replace(/&(?!#?\w+;)/g, "&amp;")
    .replaceAll('"', "&quot;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
}
