// The contract with the WebAssembly module of crate `flette`. Used for type checks only while
// `target/wasm-bindgen/flette.d.ts`, made by the build, is not there (see `paths` in tsconfig.json).

export interface OpenOptions {
  /** API root on this origin, ending in a slash, or the absolute URL of a CRM on another origin. */
  root: string;
  /** IndexedDB name, made of origin, organization id and user id. */
  database: string;
  /** `systemuserid` */
  user: string;
  business_unit: string;
  organization?: string;
  /** Logical names in scope, in pull order. */
  tables: string[];
  /** Rows per pulled page. */
  page_size: number;
  /** Changes sent in one batch, 1 to 100; 100 by default. */
  batch_size?: number;
  /** The offline profile in JSON. */
  profile?: string;
  /** Bearer header for rounds; a cookie is used when absent. */
  authorization?: string;
}

export interface Report {
  ok: boolean;
  more: boolean;
  pushed: number;
  pulled: number;
  merged: number;
  conflicts: number;
  parked: number;
  problem: string | null;
  retry_after_millis: number | null;
}

export class Flette {
  private constructor();
  static open(options: OpenOptions): Promise<Flette>;
  static answers(path: string): boolean;
  handle(request: Request): Promise<Response>;
  round(): Promise<Report>;
  close(): void;
  destroy(): Promise<void>;
}

export default function init(input?: {
  module_or_path: Response | Promise<Response> | string;
}): Promise<unknown>;
