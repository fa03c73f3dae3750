// Objects in buckets as data sees them: to be read, never to be written. The implementation is the store's neighbour
// (lib/store/s3-objects.ts); here is what it has to do.

export interface ObjectLocation {
  bucket: string;
  key: string;
}

/** A range of an object, and which version of which size it is from. */
export interface ObjectPart {
  bytes: Uint8Array;
  etag: string;
  /** Of the whole object. */
  sizeBytes: number;
}

export interface ReadOptions {
  /** Of the version that is meant; null: whatever is there. */
  etag: string | null;
  /** Ends the wait. */
  signal?: AbortSignal | undefined;
}

export interface DataObjects {
  /**
   * Bytes [startBytes, endBytes) of an object, fewer where it ends.
   * AppError `data_missing` (no such object or bucket, no access, no answer), `data_changed` (another version is there by now),
   * `invalid_data` (nothing lies at startBytes: an empty object).
   */
  read(object: ObjectLocation, startBytes: number, endBytes: number, options: ReadOptions): Promise<ObjectPart>;
  close(): Promise<void>;
}

export const addressOf = ({ bucket, key }: ObjectLocation): string => `s3://${bucket}/${key}`;
