import { ConfigError, type ConfigProblem, isError, type PlacedProblem, type SourcePlace } from '@dbmanager/core';

/** Collects the problems of one file. */
export class ProblemLog {
  readonly #problems: PlacedProblem[] = [];

  add(problem: ConfigProblem, place?: SourcePlace): void {
    this.#problems.push(place === undefined ? problem : { ...problem, place });
  }

  get hasErrors(): boolean {
    return this.#problems.some(isError);
  }

  /** The error that holds everything collected. */
  failure(): ConfigError {
    return new ConfigError(this.sorted());
  }

  /** By place; those without one, which come from the environment, last. */
  sorted(): readonly PlacedProblem[] {
    return this.#problems.toSorted((a, b) => {
      if (a.place === undefined || b.place === undefined)
        return Number(a.place === undefined) - Number(b.place === undefined);
      return a.place.line - b.place.line || a.place.column - b.place.column;
    });
  }
}
