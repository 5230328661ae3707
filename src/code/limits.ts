/** What a piece of code may use. */
export interface CodeLimits {
  /** How long it may take. */
  readonly timeMs: number;
  /** How much its values may take up. */
  readonly memoryMiB: number;
}

/** Where a step says nothing (DESIGN.md §7). */
export const usualLimits: CodeLimits = { timeMs: 5_000, memoryMiB: 64 };

/** What a step may ask for, where the installation says nothing. */
export const usualMost: CodeLimits = { timeMs: 30_000, memoryMiB: 256 };

/** Below this the interpreter itself does not fit. */
export const leastMemoryMiB = 8;
export const leastTimeMs = 10;

/** Longest input, and longest output, as JSON in UTF-8. */
export const mostDataBytes = 8 * 1_048_576;
/** How deep lists and objects of a result may lie in one another. */
export const mostDepth = 100;
export const mostSourceBytes = 262_144;
/** What is kept of the console. */
export const mostLogBytes = 65_536;
/** How long it may take to take the types out of a source and to look at its syntax. */
export const checkTimeMs = 3_000;
/** The same where it was done in time before: a busy machine is no fault of the source. */
export const checkAgainTimeMs = 20_000;
