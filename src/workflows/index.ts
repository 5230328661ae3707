export { fire } from "./fire.ts";
export { launcher } from "./launcher.ts";
export { loop } from "./loop.ts";
export { run } from "./run.ts";
