/** An API server and a way in, whatever they come from. */

/** What a request is sent with. Asked for before every request, so it must be cheap. */
export interface Credentials {
  /** `authorization`, if the server wants one. */
  readonly headers: Readonly<Record<string, string>>;
  /** PEM certificates that may sign the server's. */
  readonly caCerts?: readonly string[];
  /** PEM client certificate and key. */
  readonly cert?: string;
  readonly key?: string;
}

/** An API server and our way in. */
export interface ClusterAccess {
  /** `https://host:port`, without a slash at the end. */
  readonly baseUrl: string;
  /** Namespace of the context or of the pod. */
  readonly namespace?: string;
  credentials(): Promise<Credentials>;
}
