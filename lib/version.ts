// The package's version, for /healthz, worker listings and logs.
export const VERSION = '0.1.0';
