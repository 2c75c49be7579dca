/** Gives the bearer token for the next request. */
export interface TokenSource {
  token(): Promise<string>;
  /** The server refused the last token (401): read again on the next call, however fresh the copy is. */
  invalidate(): void;
}
