/** The certificate we show, as files of an operator that change while we run. */
export interface CertificatePair {
  /** PEM, the chain included. */
  cert: string;
  /** PEM. */
  key: string;
}

export interface CertificateSource {
  /** Reads and checks both files. Rejects with a sentence when they are not a pair that can be shown. */
  load(): Promise<CertificatePair>;
  /** Calls back with every later good pair; a bad one is logged and the earlier one stays. */
  watch(onPair: (pair: CertificatePair) => void): () => Promise<void>;
}
