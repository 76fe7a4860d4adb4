// Notes which methods and options of the library the tests use, and reads from its type declarations which there are.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DynamicsWebApi } from "dynamics-web-api";
import { root } from "../../lib/process.mjs";

const DECLARATIONS = join(root, "node_modules/dynamics-web-api/dist/dynamics-web-api.d.ts");

/** Which interface of the declarations describes the request of a method whose declaration does not say. */
const REQUESTS = { callFunction: "BoundFunctionRequest", callAction: "BoundActionRequest" };

export class Recorder {
  /** "Interface.option" and "method". */
  used = new Set();

  constructor() {
    Object.assign(this, declarations());
  }

  /** The library itself, unchanged, or something with its methods; what is asked of it is noted. */
  library(config, target = new DynamicsWebApi(config)) {
    this.#note("Config", config);
    return new Proxy(target, {
      get: (object, name) => {
        const value = object[name];
        if (name === "Utility") return this.#utility(value);
        if (typeof value !== "function") return value;
        return (...args) => {
          this.#call(name, args[0]);
          return value.apply(object, args);
        };
      },
    });
  }

  #utility(utility) {
    return new Proxy(utility, {
      get: (object, name) => {
        this.used.add(`Utility.${name}`);
        return object[name];
      },
    });
  }

  #call(name, request) {
    this.used.add(name);
    const type = this.methods.get(name) ?? REQUESTS[name];
    if (name === "setConfig") this.#note("Config", request);
    else if (type && request && typeof request === "object") this.#note(type, request);
  }

  #note(type, request) {
    for (const option of Object.keys(request)) {
      for (let now = type; now; now = this.interfaces.get(now)?.parent) this.used.add(`${now}.${option}`);
    }
    for (const inner of Array.isArray(request.expand) ? request.expand : []) this.#note("Expand", inner);
  }

  /** Everything that is declared: methods, and the options of their requests where they are declared first. */
  declared() {
    const all = new Set(this.methods.keys());
    const types = new Set([...this.methods.values(), ...Object.values(REQUESTS), "Config", "Expand"]);
    for (const type of types) {
      for (let now = type; now; now = this.interfaces.get(now)?.parent) {
        for (const option of this.interfaces.get(now)?.options ?? []) all.add(`${now}.${option}`);
      }
    }
    all.delete(undefined);
    return all;
  }
}

/** Methods with the name of their request's type, and interfaces with their parent and their own options. */
function declarations() {
  const text = readFileSync(DECLARATIONS, "utf8").replaceAll(/\/\*[\s\S]*?\*\//g, "");
  const interfaces = new Map();
  const shape =
    /export interface (\w+)(?:<[^{]*?>)? (?:extends ([\w]+)[^{]*)?\{([^}]*(?:\{[^}]*\}[^}]*)*)\}/g;
  for (const [, name, parent, body] of text.matchAll(shape)) {
    const options = [...body.matchAll(/^ {4}(\w+)\??:/gm)].map(([, option]) => option);
    interfaces.set(name, { parent, options });
  }
  const body = /export declare class DynamicsWebApi \{([\s\S]*?)\n\}/.exec(text)[1];
  const methods = new Map();
  for (const [, name, rest] of body.matchAll(/^ {4}(\w+): (.*)$/gm)) {
    if (name !== "Utility") methods.set(name, /request\??: (\w+)/.exec(rest)?.[1]);
  }
  for (const [, name] of body.matchAll(/^ {8}(\w+): /gm)) methods.set(`Utility.${name}`, undefined);
  return { interfaces, methods };
}
