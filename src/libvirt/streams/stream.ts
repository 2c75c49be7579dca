/** A range of zeros that is not sent as bytes. */
export interface Hole {
  readonly holeBytes: number;
}

/**
 * Data that follows a reply. Reading at the reader's pace holds the daemon back, and `write` resolves at the daemon's.
 * Every stream ends in one of `finish`, `abort` or an error.
 */
export interface LibvirtStream<Reply> extends AsyncDisposable {
  readonly reply: Reply;
  /** What the daemon sends, until its end. Holes occur only where a SPARSE_STREAM flag asked for them. */
  chunks(): AsyncIterableIterator<Uint8Array | Hole>;
  /** Resolves when the connection has taken the bytes. */
  write(bytes: Uint8Array): Promise<void>;
  /** Sends a hole; only for an upload that was started with SPARSE_STREAM. */
  skip(holeBytes: number): Promise<void>;
  /** Ends the stream and waits for the daemon's word that all arrived. */
  finish(): Promise<void>;
  /** Gives the stream up; what was written so far stays written. */
  abort(): Promise<void>;
}
