/** What a small step of code does: reckon over a few rows with helpers. */
export const reckoning = `
interface Row { sku: string; price: number; count: number }

export default function (input: { rows: Row[] }) {
  const total = sum(input.rows.map(({ price, count }) => times(price, count)));
  return { total, skus: uniq(map(input.rows, "sku")), due: addBusinessDays("2026-11-24", 3) };
}`;

/** Twenty rows. */
export const rows = Array.from({ length: 20 }, (_, n) => ({ sku: `sku-${n % 7}`, price: n + 0.25, count: n % 3 }));

/** The same without types and helpers, for an interpreter that has nothing but itself. */
export const bareReckoning = `
(function (input) {
  const total = input.rows.reduce((sum, { price, count }) => sum + price * count, 0);
  return { total, skus: [...new Set(input.rows.map(({ sku }) => sku))], due: "2026-11-27" };
})`;

function body(text: string): string {
  return `export default async function () { ${text} }`;
}

/** What wears a machine out, of each kind one. */
export const hostile: readonly string[] = [
  body("for (;;);"),
  body("for (;;) try { for (;;); } catch {} finally { continue; }"),
  body("const go = async () => { for (;;) await null; }; go(); return go();"),
  body('return /(a+)+$/.test("a".repeat(40) + "!");'),
  body('let text = "x"; for (;;) text += text;'),
  body("const all = []; for (;;) all.push({ a: [{}] });"),
  body("return new Array(3e7).fill(0).map(Math.random).sort().length;"),
  body("const go = () => go() + 1; return go();"),
  body('JSON.parse("[".repeat(2e5) + "]".repeat(2e5));'),
  body("for (let i = 0; i < 1e6; i++) console.log('x'.repeat(100));"),
  body("return new Array(100).fill('x'.repeat(1e6));"),
  body("const a = {}; a.a = a; return a;"),
  body('throw new Error("x".repeat(1e7));'),
  body("return new Promise(() => {});"),
];
