/** A text with `:name` parameters and their values: a statement that is whole, as one from a file is. */
export class NamedSql {
  readonly text: string;
  readonly values: Readonly<Record<string, unknown>>;
  /** What errors call it. */
  readonly name: string;

  constructor(text: string, values: Readonly<Record<string, unknown>>, name: string) {
    this.text = text;
    this.values = values;
    this.name = name;
  }
}
