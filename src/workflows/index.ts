export { fire } from "./fire.ts";
export { run } from "./run.ts";
