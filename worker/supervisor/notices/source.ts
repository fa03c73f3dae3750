// What announces that this machine will be taken away, as the worker sees it, whoever's cloud it is.

export type Announced =
  /** The machine goes. `leftMs` is until then, from now; 0 if that is past, null: soon. */
  | { kind: 'notice'; message: string; leftMs: number | null; /** Says that nothing more has to be waited for, once all on this machine is saved; absent where others are concerned. */ acknowledge?: () => Promise<void> }
  /** It may go: a good time to save, none to stop. */
  | { kind: 'hint'; message: string };

export interface NoticeSource {
  readonly name: string;
  /** Whether this machine is one of that cloud's. Rejects if nobody answers, or with an UnexpectedAnswer that leaves it open. */
  detect(signal: AbortSignal): Promise<boolean>;
  /**
   * All that is announced now; one look may wait for news. The next one follows `pauseMs` after its end. Rejects where the answer is no answer: the
   * look is made again later.
   */
  look(signal: AbortSignal): Promise<Announced[]>;
  readonly pauseMs: number;
}
