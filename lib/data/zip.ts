// Reads members of a zip file as hostile input. yauzl parses the structure (zip64 included); the data is read and inflated
// here, so that nothing beyond a member's declared size is ever produced and its checksum is compared.
import { crc32 } from 'node:zlib';
import yauzl from 'yauzl';
import { inflateInto, MAX_DEFLATE_RATIO, piecesOf } from './inflate.js';
import type { ByteSource } from './source.js';

export interface ZipMember {
  name: string;
  /** Bytes once decompressed, as the file declares them: bounded by what its compressed bytes can hold, not yet true. */
  sizeBytes: number;
  /** Neither compressed nor encrypted: its bytes stand in the file as they are. */
  stored: boolean;
}
export interface Zip {
  members: readonly ZipMember[];
  /**
   * Gives the member's decompressed bytes to `sink`, in order, until it returns false or they end. Without a false, exactly
   * `sizeBytes` were given and their checksum is right. An Error says what is wrong with the member.
   */
  read(member: ZipMember, sink: (chunk: Uint8Array) => boolean): Promise<void>;
  /** Where a member's bytes begin in the file, compressed or not; all of them lie inside it. An Error says what is wrong with the member. */
  locate(member: ZipMember): Promise<number>;
  /** The checksum of a member's decompressed bytes, as the file declares it. */
  checksum(member: ZipMember): number;
}

/** A set of arrays has a handful of members; a directory of a million entries is an attack. */
const MAX_MEMBERS = 10_000;
/** Of names, comments and other fields together: they stay in memory, each character of some in 32 bytes of it. */
const MAX_DIRECTORY_BYTES = 2 * 1024 ** 2;
const STORED = 0;
const DEFLATED = 8;

/** Lists the members of an open file. An Error says why it is not a usable zip file. The file stays the caller's. */
export async function openZip(file: ByteSource): Promise<Zip> {
  const zip = await yauzl.fromRandomAccessReaderPromise(makeReader(file), file.sizeBytes, { lazyEntries: true, autoClose: false, strictFileNames: true });
  zip.on('error', () => {}); // eachEntry rejects with it; later ones have nobody to tell
  const entries = new Map<string, yauzl.Entry>();
  if (zip.entryCount > MAX_MEMBERS) throw new Error(`it claims ${zip.entryCount} members`);
  let directoryBytes = 0;
  for await (const entry of zip.eachEntry()) {
    directoryBytes += entry.fileNameLength + entry.extraFieldLength + entry.fileCommentLength;
    if (directoryBytes > MAX_DIRECTORY_BYTES) throw new Error(`its directory has names and comments of more than ${MAX_DIRECTORY_BYTES} bytes`);
    if (entries.has(entry.fileName)) throw new Error(`member ${JSON.stringify(entry.fileName.slice(0, 100))} is there twice`);
    entries.set(entry.fileName, entry);
  }

  async function* compressedBytes(entry: yauzl.Entry): AsyncGenerator<Uint8Array, void> {
    const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true }); // checks that the data ends inside the file
    yield* piecesOf(file, fileDataStart, fileDataStart + entry.compressedSize);
  }

  return {
    members: [...entries.values()].map((entry) => ({ name: entry.fileName, sizeBytes: entry.uncompressedSize, stored: entry.compressionMethod === STORED && !entry.isEncrypted() })),
    checksum: (member) => entries.get(member.name)!.crc32,
    async locate(member) {
      return (await zip.readLocalFileHeaderPromise(entries.get(member.name)!, { minimal: true })).fileDataStart;
    },
    async read(member, sink) {
      const entry = entries.get(member.name)!;
      if (entry.isEncrypted()) throw new Error('it is encrypted');
      if (entry.compressionMethod !== STORED && entry.compressionMethod !== DEFLATED) throw new Error(`it is compressed by method ${entry.compressionMethod}; only deflate is supported`);
      if (entry.uncompressedSize > entry.compressedSize * MAX_DEFLATE_RATIO) throw new Error(`it claims ${entry.uncompressedSize} bytes, which ${entry.compressedSize} compressed ones cannot hold`);
      let given = 0;
      let checksum = 0;
      const consume = async (chunks: AsyncIterable<Uint8Array>): Promise<void> => {
        for await (const chunk of chunks) {
          given += chunk.byteLength;
          if (given > entry.uncompressedSize) throw new Error(`it holds more than the ${entry.uncompressedSize} bytes that it claims`);
          checksum = crc32(chunk, checksum);
          if (!sink(chunk)) return;
        }
        if (given !== entry.uncompressedSize) throw new Error(`it holds ${given} bytes and claims ${entry.uncompressedSize}`);
        if (checksum !== entry.crc32) throw new Error('its checksum is wrong: the file is damaged');
      };
      if (entry.compressionMethod === STORED) await consume(compressedBytes(entry));
      else await inflateInto(compressedBytes(entry), consume);
    },
  };
}

/**
 * yauzl's way to the bytes. Its own reader for descriptors lets fs.read throw out of a callback where a hostile offset is no
 * file position, which ends the process; here every bad range is an error that it passes on.
 */
function makeReader(file: ByteSource): yauzl.RandomAccessReader {
  // an abstract class in the types, a plain constructor in fact
  const reader = new (yauzl.RandomAccessReader as unknown as new () => yauzl.RandomAccessReader)();
  reader.read = (buffer, offset, length, position, callback) => {
    if (!Number.isSafeInteger(position) || position < 0 || position + length > file.sizeBytes) {
      callback(new Error('it points outside of itself'));
      return;
    }
    file.readAt(buffer.subarray(offset, offset + length), position).then(
      (filled) => callback(filled === length ? null : new Error('it became shorter while it was read')),
      (error: unknown) => callback(error as Error),
    );
  };
  return reader;
}
