/** What the endpoints of `@dbmanager/http` are sent with. */
export const ENDPOINT_HEADERS = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' } as const;
