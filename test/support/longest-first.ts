// The order of test files: those that take minutes first, so that two at a time end together. Only whole runs need it.
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Parts of paths, the longest first. */
const LONGEST = ['test/chaos/run.', 'test/protocol/protocol', 'test/chaos/outages.', 'test/resume/', 'contract-fuzzer', 'test/chaos/'];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const place = LONGEST.findIndex((part) => moduleId.includes(part));
      return place < 0 ? LONGEST.length : place;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
