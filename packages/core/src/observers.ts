import type { ObserveStatements, StatementObservation, StatementObserver } from './statement-observer.js';

/** One for several, each of which is told of every statement; undefined when nobody wants to know. Of comments the first counts. */
export function observers(...all: readonly (ObserveStatements | undefined)[]): ObserveStatements | undefined {
  const wanted = all.filter((observe) => observe !== undefined);
  if (wanted.length < 2) return wanted[0];
  return (engine) => together(wanted.map((observe) => observe(engine)).filter((observer) => observer !== undefined));
}

function together(observers: readonly StatementObserver[]): StatementObserver | undefined {
  if (observers.length < 2) return observers[0];
  return {
    begin: (...statement) => observation(observers.map((observer) => observer.begin(...statement))),
    beginCommand: (...command) => observation(observers.map((observer) => observer.beginCommand(...command))),
  };
}

function observation(all: readonly StatementObservation[]): StatementObservation {
  return {
    end(rows) {
      for (const each of all) each.end(rows);
    },
    fail(error, status) {
      for (const each of all) each.fail(error, status);
    },
    commented(form) {
      for (const each of all) {
        const text = each.commented?.(form);
        if (text !== undefined) return text;
      }
      return undefined;
    },
  };
}
