import {
  ConfigError,
  type ConfigProblem,
  isError,
  type PlacedProblem,
  Secret,
  type SourcePlace,
} from '@dbmanager/core';

/** Shortest secret that is searched for in messages; shorter ones would blot out innocent words. */
const MIN_SECRET_LENGTH = 4;

/** Collects the problems of one file. */
export class ProblemLog {
  readonly #problems: PlacedProblem[] = [];
  readonly #secrets: Secret[] = [];

  add(problem: ConfigProblem, place?: SourcePlace): void {
    this.#problems.push(place === undefined ? problem : { ...problem, place });
  }

  /**
   * Masks this value in every message. Messages are made without the values of secrets; this is for one that was also
   * written under another key, and for rules of providers that quote what they should not.
   */
  hide(secret: string): void {
    if (secret.length >= MIN_SECRET_LENGTH) this.#secrets.push(new Secret(secret));
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
    return this.#problems
      .map((problem) => this.#masked(problem))
      .sort((a, b) => {
        if (a.place === undefined || b.place === undefined)
          return Number(a.place === undefined) - Number(b.place === undefined);
        return a.place.line - b.place.line || a.place.column - b.place.column;
      });
  }

  #masked(problem: PlacedProblem): PlacedProblem {
    const message = this.#secrets.reduce((text, secret) => secret.redact(text), problem.message);
    return message === problem.message ? problem : { ...problem, message };
  }
}
