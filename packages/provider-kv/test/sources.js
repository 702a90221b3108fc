// node --experimental-transform-types --import ./sources.js child.js: runs children of tests on the packages' sources, as Node reads TypeScript itself
// but looks for the files that their compiled form imports.
import { registerHooks } from 'node:module';

const PACKAGES = new URL('../../', import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    const [, name] = /^@dbmanager\/([^/]+)$/.exec(specifier) ?? [];
    if (name !== undefined) return next(`${PACKAGES}${name}/src/index.ts`, context);
    const ofSources = specifier.startsWith('.') && context.parentURL?.includes('/src/');
    return next(ofSources ? specifier.replace(/\.js$/, '.ts') : specifier, context);
  },
});
