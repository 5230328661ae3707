import { expect, test } from "vitest";
import { renderMarkdown } from "../../src/mailbox/markdown.ts";

test.each([
  ["# New lead\n\n**Ada** wrote *hello*.", "<h1>New lead</h1>\n<p><strong>Ada</strong> wrote <em>hello</em>.</p>"],
  ["- one\n- two", "<ul>\n<li>one</li>\n<li>two</li>\n</ul>"],
  ["[us](https://x.example/?a=1&b=2)", '<p><a href="https://x.example/?a=1&amp;b=2">us</a></p>'],
  ["[mail](mailto:a@x.example)", '<p><a href="mailto:a@x.example">mail</a></p>'],
])("%j becomes HTML", (source, html) => {
  expect(renderMarkdown(source)).toBe(html);
});

test.each([
  ["raw HTML", "a <script>alert(1)</script> b <b onclick=x>c</b>", /^<p>a alert\(1\) b c<\/p>$/],
  ["a block of HTML", "<div><img src=x onerror=alert(1)></div>\n\nafter", /^<p>after<\/p>$/],
  ["a link to a script", "[x](javascript:alert(1))", /^<p>x<\/p>$/],
  ["a link to data", "[x](data:text/html,hi)", /^<p>x<\/p>$/],
  [
    "a quote in a link",
    '[x](https://x.example/"onmouseover=alert)',
    /href="https:\/\/x\.example\/(?:%22|&quot;)onmouseover=alert"/,
  ],
  ["a picture, which would tell when it is read", "![logo](https://x.example/p.png)", /^<p>logo<\/p>$/],
  ["what was escaped", "&lt;b&gt;{{ x }}", /^<p>&lt;b&gt;\{\{ x \}\}<\/p>$/],
])("%s stays harmless", (_what, source, html) => {
  expect(renderMarkdown(source)).toMatch(html);
});
