// What is there at run time and has no types of its own.

declare module "amaro" {
  export function transformSync(source: string, options: { mode: "strip-only" }): { code: string };
}

declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Memory {
    constructor(pages: { initial: number; maximum: number });
  }
}
