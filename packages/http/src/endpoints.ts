import { blocksReadiness, type HealthSource, healthReport, reasonCode } from './health-report.js';
import { type StatementsSource, statementsReport } from './statements-report.js';

/** What renders `/metrics`: a `PrometheusMetrics` of `@dbmanager/metrics`, or anything like it. */
export interface MetricsScraper {
  readonly contentType: string;
  scrape(): Promise<string>;
}

/** What the endpoints show. */
export interface EndpointOptions {
  readonly manager: HealthSource;
  /** Left out: there is no `/metrics`. */
  readonly metrics?: MetricsScraper | undefined;
  /** Whose slowest statements `/statements` shows: the manager. Left out: there is no `/statements`. */
  readonly statements?: StatementsSource | undefined;
  /** Once aborted, `/health/ready` answers 503, so that a balancer sends no more while the service drains. */
  readonly shutdown?: AbortSignal | undefined;
}

/** An answer, whatever the framework that sends it. */
export interface EndpointReply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** Answers one endpoint. Awaits no database and never rejects. */
export type Endpoint = () => Promise<EndpointReply>;

/** The endpoints by path. */
export type Endpoints = Readonly<Record<'/health' | '/health/live' | '/health/ready', Endpoint>> & {
  readonly '/metrics'?: Endpoint;
  readonly '/statements'?: Endpoint;
};

/** The endpoints by themselves, for a framework that wants to route and send on its own. */
export function createEndpoints({ manager, metrics, statements, shutdown }: EndpointOptions): Endpoints {
  return {
    ...(metrics === undefined ? {} : { '/metrics': guarded(() => scrape(metrics)) }),
    ...(statements && { '/statements': guarded(() => jsonReply(200, statementsReport(statements))) }),
    '/health': guarded(() => health(manager)),
    '/health/live': guarded(() => jsonReply(200, { status: 'live' })),
    '/health/ready': guarded(() => ready(manager, shutdown?.aborted === true)),
  };
}

/** A reply in JSON. */
export function jsonReply(status: number, body: object): EndpointReply {
  return { status, contentType: 'application/json; charset=utf-8', body: `${JSON.stringify(body)}\n` };
}

async function scrape(metrics: MetricsScraper): Promise<EndpointReply> {
  return { status: 200, contentType: metrics.contentType, body: await metrics.scrape() };
}

function health(manager: HealthSource): EndpointReply {
  const report = healthReport(manager.stats());
  return jsonReply(report.status === 'unhealthy' ? 503 : 200, report);
}

function ready(manager: HealthSource, shuttingDown: boolean): EndpointReply {
  const down = Object.values(manager.stats().connections)
    .map((connection) => connection.health)
    .filter(blocksReadiness)
    .map(({ name, state, error }) => ({ name, state, errorCode: error === undefined ? null : reasonCode(error) }));
  const isReady = down.length === 0 && !shuttingDown;
  return jsonReply(isReady ? 200 : 503, { status: isReady ? 'ready' : 'unready', shuttingDown, down });
}

/** An endpoint whose failure is a reply that tells the outside no more than its code. */
function guarded(answer: () => EndpointReply | Promise<EndpointReply>): Endpoint {
  return async () => {
    try {
      return await answer();
    } catch (error) {
      return jsonReply(500, { status: 'error', errorCode: reasonCode(error) });
    }
  };
}
