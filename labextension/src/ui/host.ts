/**
 * What views ask of the program around them: Lab fills it (`widgets/host.ts`), tests a plain object.
 */

export interface Host {
  /** Keep `data` among the user's files as `name` (or `name 2`, …) and open it; gives its path. */
  open(name: string, data: Blob): Promise<string>;
  /** Files of the Jupyter server that the user chooses, as paths below its root. */
  chooseFiles(): Promise<string[]>;
  /** A small value that this user's Lab remembers, null where there is none. */
  recall(key: string): Promise<unknown>;
  remember(key: string, value: unknown): Promise<void>;
}
