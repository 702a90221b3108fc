import { loadPeer } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { OpenMetricsContentType, Registry } from 'prom-client';
import { LabelledSource, type MetricsSource } from './metrics-source.js';
import { RegistrySources } from './registry-sources.js';

/** A registry of prom-client, of either text format. */
export type MetricsRegistry = Registry | Registry<OpenMetricsContentType>;

/** Options of {@link PrometheusMetrics}. */
export interface PrometheusMetricsOptions {
  /** Where the metrics go. Default: a registry of its own. Its content type and default labels are respected. */
  readonly registry?: MetricsRegistry | undefined;
  /** Value of the label `manager` on every series. Needed where several managers share a registry. Default: no label. */
  readonly manager?: string | undefined;
}

/**
 * The metrics of a manager, on prom-client. Everything is read from `stats()` when a scrape asks for it: no timer runs,
 * nothing is counted here, no database is awaited, and what the manager no longer has is gone from the next scrape.
 *
 * ```ts
 * const metrics = new PrometheusMetrics(manager);
 * app.get('/metrics', async (_, reply) => reply.type(metrics.contentType).send(await metrics.scrape()));
 * ```
 */
export class PrometheusMetrics {
  /** The registry the metrics are on: the one given, or one of its own. */
  readonly registry: MetricsRegistry;
  readonly #source: LabelledSource;

  /**
   * Throws `DBM_PACKAGE_NOT_INSTALLED` without prom-client, and `DBM_INVALID_OPTION` when the registry already has these
   * names from elsewhere or shows another manager under the same `manager`.
   */
  constructor(source: MetricsSource, options: PrometheusMetricsOptions = {}) {
    this.registry = options.registry ?? ownRegistry();
    this.#source = new LabelledSource(source, options.manager);
    RegistrySources.of(this.registry).add(this.#source);
  }

  /** The `Content-Type` of {@link scrape}. */
  get contentType(): string {
    return this.registry.contentType;
  }

  /** The text of the whole registry, with what else the caller has put there. */
  scrape(): Promise<string> {
    return this.registry.metrics();
  }

  /** Takes the manager's series off the registry; does nothing the second time. */
  detach(): void {
    RegistrySources.of(this.registry).remove(this.#source);
  }
}

function ownRegistry(): MetricsRegistry {
  const client = loadPeer<typeof import('prom-client')>('prom-client', import.meta.url, { by: 'PrometheusMetrics' });
  return new client.Registry();
}
