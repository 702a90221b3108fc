import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { engine: { type: 'string' } }, strict: false });

/** The one that `--engine NAME` names; else all. */
export function wantedEngines<E extends { readonly name: string }>(engines: readonly E[]): readonly E[] {
  const { engine } = values;
  if (engine === undefined) return engines;
  const wanted = engines.filter(({ name }) => name === engine);
  if (wanted.length > 0) return wanted;
  throw new RangeError(`no engine is called "${engine}"; there are: ${engines.map(({ name }) => name).join(', ')}`);
}
