/**
 * What `use` takes of the options of a handle: those of the ORM, undefined when there are none, and the name that the handle
 * goes by beside others of its ORM.
 */
export function namedOptions<O extends { readonly name?: string }>(
  options: O | undefined,
): [options: O | undefined, name: string | undefined] {
  if (options?.name === undefined) return [options, undefined];
  const { name, ...others } = options;
  return [Object.keys(others).length === 0 ? undefined : (others as O), name];
}
