/** Reading side of the metrics: what `/metrics` prints, and figures that other parts offer when they are asked. */

export interface Sample {
  /** Never a subject and never free text: a label is a dimension that somebody pays for. */
  labels: Readonly<Record<string, string>>;
  value: number;
}

/** Of which names a reader is shown figures. */
export interface FiguresSight {
  server(server: string): boolean;
  tool(server: string, tool: string): boolean;
  agent(agent: string): boolean;
}

export interface MetricsReader {
  /** The body of `/metrics` as JSON: `{timestamp, operations, servers, agents, figures, uptime_seconds}`. */
  json(sight: FiguresSight | null): object;
  /** Prometheus text exposition format, version 0.0.4. `sight` null: everything. */
  prometheus(sight: FiguresSight | null): string;
  /**
   * A figure that goes up and down; `read` is called once per exposition. The name must be new. What counts more than its
   * reader may list is left out by `read` itself.
   */
  gauge(name: string, help: string, read: (sight: FiguresSight | null) => readonly Sample[]): void;
  /** A figure that only grows, kept by the caller; the name must be new and end in `_total`. */
  counter(name: string, help: string, read: () => readonly Sample[]): void;
}
