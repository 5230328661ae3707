export { fire } from "./fire.ts";
export { launcher } from "./launcher.ts";
export { run } from "./run.ts";
