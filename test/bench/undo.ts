// What has to be undone whatever happens: processes, folders. Each thing is undone once, the last one first, by its user or,
// on Ctrl-C and on failures, by whoever ends the run.

type How = (interrupted: boolean) => Promise<void>;

export interface Undo {
  /**
   * @param how also called on an interruption: it has to be quick then
   * @returns the same, to be called when it is time
   * @throws Error after an interruption, so that nobody goes on; it is undone all the same
   */
  add(how: How): () => Promise<void>;
  /** Everything that is left; problems are returned, not thrown, because the next thing has to be undone too. */
  all(interrupted: boolean): Promise<Error[]>;
}

export function makeUndo(): Undo {
  const left: { how: How; done: Promise<void> | null }[] = [];
  let interrupted = false;
  return {
    add: (how) => {
      const entry: (typeof left)[number] = { how, done: null };
      left.push(entry);
      if (interrupted) throw new Error('interrupted');
      return async () => {
        await (entry.done ??= how(false));
        const index = left.indexOf(entry);
        if (index >= 0) left.splice(index, 1);
      };
    },
    all: async (now) => {
      interrupted ||= now;
      const problems: Error[] = [];
      for (let entry = left.pop(); entry; entry = left.pop()) {
        await (entry.done ??= entry.how(interrupted)).catch((error: unknown) => problems.push(error as Error));
      }
      return problems;
    },
  };
}
