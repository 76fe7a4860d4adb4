// `npm run model -- --operations N`: builds the exhaustive model and walks through it. `--help` names the rest.

import { isMain, main } from "./lib/run.mjs";
import { program } from "./sim.mjs";

if (isMain(import.meta.url)) await main(() => program("flette-model"));
