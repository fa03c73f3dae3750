// Gathers micro-batches of a set that is, in part or whole, still in its file. A batch is begun, which starts its reads into
// memory of their own, and gathered once they have ended: the same bits as from memory, by the same arithmetic.
import { fileOrder, makeAssembler, sampleIdsOf, type BatcherOptions, type GatheredBatch } from './batches.js';
import { filesOf, isStored, type OpenDataset, type ReadRun, type StoredArray } from './source.js';

export interface PendingBatch {
  /** Memory that its raw values take; 0 if all of it is in memory anyway. */
  readonly rawBytes: number;
  /** Settles when no read is under way any more. May be left alone. Errors of DataFile.read. */
  readonly ready: Promise<void>;
  /** Once it is ready; fresh buffers. AppError `data_changed` if a file has changed since it was opened. */
  gather(): GatheredBatch;
  /** Once it has settled, exactly once: gives the memory of the raw values back. */
  release(): void;
}

export interface StreamedBatcher {
  /** Raw bytes of a full batch. */
  readonly batchBytes: number;
  /** As a batcher's `gather`, and of at most the batch size. */
  begin(from: number, to: number, at?: (position: number) => number): PendingBatch;
}

/** A longer run is read in pieces, which the system's threads share. */
const RUN_BYTES = 1024 * 1024;
const ALIGNMENT = 8;

/** Errors as makeBatcher. */
export function makeStreamedBatcher(set: OpenDataset, { batchSize, ...options }: BatcherOptions & { batchSize: number }): StreamedBatcher {
  const { description, x, y } = set;
  const assemble = makeAssembler(description, options);
  const xBytes = isStored(x) ? Math.ceil((batchSize * x.sampleBytes) / ALIGNMENT) * ALIGNMENT : 0;
  const batchBytes = xBytes + (isStored(y) ? batchSize * y.sampleBytes : 0);
  const files = filesOf([set]);
  /** Memory that no batch uses: never more than batches once had at the same time. */
  const free: Uint8Array<ArrayBuffer>[] = [];

  return {
    batchBytes,
    begin(from, to, at = fileOrder) {
      const sampleIds = sampleIdsOf(description.samples, from, to, at);
      const samples = sampleIds.length;
      if (samples > batchSize) throw new RangeError(`${samples} samples in a batch of at most ${batchSize}`);
      const raw = batchBytes === 0 ? EMPTY : (free.pop() ?? new Uint8Array(batchBytes));
      const rowsInFile = inFileOrder(sampleIds);
      const places = placesOf(rowsInFile);
      const reads: Promise<void>[] = [];
      if (isStored(x)) reads.push(x.file.read(runsOf(x, sampleIds, rowsInFile, raw, 0)));
      if (isStored(y)) reads.push(y.file.read(runsOf(y, sampleIds, rowsInFile, raw, xBytes)));
      const ready = settled(reads);
      ready.catch(() => undefined); // whoever asks for the batch hears of it
      return {
        rawBytes: raw.byteLength,
        ready,
        gather() {
          for (const file of files) file.assertUnchanged();
          return assemble(
            sampleIds,
            isStored(x) ? { values: x.decode(raw.subarray(0, samples * x.sampleBytes), samples), places } : { values: x, places: sampleIds },
            isStored(y) ? { values: y.decode(raw.subarray(xBytes, xBytes + samples * y.sampleBytes), samples), places } : { values: y, places: sampleIds },
          );
        },
        release: () => void (raw === EMPTY || free.push(raw)),
      };
    },
  };
}

const EMPTY = new Uint8Array(0);

/** When all have settled: resolves, or rejects with the first failure. */
async function settled(reads: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(reads)) if (outcome.status === 'rejected') throw outcome.reason;
}

/** The rows of a batch in the order in which their samples lie in the file. */
function inFileOrder(sampleIds: Int32Array): Int32Array {
  const count = sampleIds.length;
  // typed arrays sort numbers without a callback; sample and row in one float64 stay below 2⁵³
  const keys = Float64Array.from(sampleIds, (sample, row) => sample * count + row).sort();
  return Int32Array.from(keys, (key) => key % count);
}

/** By row: which place among the samples in file order it has. */
function placesOf(rowsInFile: Int32Array): Int32Array {
  const places = new Int32Array(rowsInFile.length);
  for (let place = 0; place < places.length; place++) places[rowsInFile[place]!] = place;
  return places;
}

/** The reads that bring samples side by side into `raw` from `offsetBytes` on; neighbours in the file by one read. */
function runsOf({ startBytes, sampleBytes }: StoredArray<unknown>, sampleIds: Int32Array, rowsInFile: Int32Array, raw: Uint8Array, offsetBytes: number): ReadRun[] {
  const runs: ReadRun[] = [];
  const count = rowsInFile.length;
  const atOnce = Math.max(1, Math.floor(RUN_BYTES / sampleBytes));
  for (let place = 0; place < count; ) {
    const first = sampleIds[rowsInFile[place]!]!;
    let length = 1;
    while (length < atOnce && place + length < count && sampleIds[rowsInFile[place + length]!] === first + length) length++;
    runs.push({ positionBytes: startBytes + first * sampleBytes, lengthBytes: length * sampleBytes, into: raw, offsetBytes: offsetBytes + place * sampleBytes });
    place += length;
  }
  return runs;
}
