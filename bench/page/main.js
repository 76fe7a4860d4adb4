// What the bench calls in its pages, as `bench.flette.sync()` and the like.

import * as flette from "./flette.js";
import * as floor from "./floor.js";
import { plain } from "./pages.js";
import * as peers from "./peers.js";

globalThis.bench = { flette, floor, peers, plain };
