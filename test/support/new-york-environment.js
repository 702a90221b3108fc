import { TestEnvironment } from 'jest-environment-node';

/**
 * Node under the time of New York, for tests of dates: put `@jest-environment ./test/support/new-york-environment.js` in the
 * first comment of a test file. Setting `process.env.TZ` inside a test does nothing, as jest gives tests a copy of it.
 */
export default class NewYorkEnvironment extends TestEnvironment {
  #zone = process.env.TZ;

  constructor(...args) {
    super(...args);
    process.env.TZ = 'America/New_York';
  }

  async teardown() {
    if (this.#zone === undefined) delete process.env.TZ;
    else process.env.TZ = this.#zone;
    await super.teardown();
  }
}
