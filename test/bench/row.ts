/** One line of the benchmark table. */
export interface BenchRow {
  name: string;
  unit: string;
  ours: number;
  baseline: number | null;
  ratio: number | null;
  goal: string;
  holds: boolean | null;
}
