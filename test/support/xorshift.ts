/** Marsaglia's xorshift32, for the courses of tests only: numbers in [0, 1). @param state not 0 */
export function makeXorshift(state: number): () => number {
  return () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 0x1_0000_0000;
  };
}
