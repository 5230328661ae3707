import { readFile } from "node:fs/promises";
import type { Product } from "../product.ts";

/** Resident memory of gateway and worker in MiB; not a number off Linux, which alone tells. */
export async function readMemory(product: Product): Promise<number> {
  let total = 0;
  for (const part of ["gateway", "worker"] as const) {
    const pid = await product.pid(part);
    const text = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
    total += Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1] ?? Number.NaN) / 1_024;
  }
  return total;
}
