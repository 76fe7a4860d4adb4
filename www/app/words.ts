// Values and errors in words.

/** What went wrong, for a person. `attempt` reads like "save this contact". */
export function explain(error: unknown, attempt: string): string {
  const { status, message } = error as { status?: number; message?: string };
  const said = message && message !== "Unexpected Error" ? message : "";
  switch (status) {
    case undefined:
    case 0:
      return `Could not ${attempt}: the server cannot be reached.`;
    case 401:
      return `Could not ${attempt}: sign in again first.`;
    case 403:
      return `Could not ${attempt}: you do not have the permission. ${said}`;
    case 404:
      return `Could not ${attempt}: it no longer exists, or you may no longer see it.`;
    case 412:
      return `Could not ${attempt}: somebody else changed it in the meantime. Reload and try again.`;
    case 501:
      return `Could not ${attempt} while offline: ${said}`;
    case 503:
      return `Could not ${attempt} now: ${said || "the service is not available."}`;
    case 507:
      return `Could not ${attempt}: this device is out of space. Nothing was changed.`;
    default:
      return `Could not ${attempt}: ${said || `the server answered with status ${status}.`}`;
  }
}

const second = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const dayUtc = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });

/** A date or date-time as the library gives it (Date or text). Empty when it is none. */
export function dateText(value: unknown, kind: "day" | "moment" | "second" | "date-only"): string {
  const date = value instanceof Date ? value : new Date(typeof value === "string" ? value : Number.NaN);
  if (Number.isNaN(date.getTime())) return "";
  if (kind === "date-only") return dayUtc.format(date);
  return { day, moment, second }[kind].format(date);
}

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const dayOfYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

/** A time in the past as short as it can be: the clock for today, the day for this year. */
export function shortTime(value: unknown, now: Date): string {
  const date = value instanceof Date ? value : new Date(typeof value === "string" ? value : Number.NaN);
  if (Number.isNaN(date.getTime())) return "";
  if (date.toDateString() === now.toDateString()) return clock.format(date);
  return (date.getFullYear() === now.getFullYear() ? dayOfYear : day).format(date);
}

/** Two letters for an avatar. */
export function initials(name: string): string {
  const words = name.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const letters = [words[0], words.length > 1 ? words[words.length - 1] : undefined];
  return (
    letters
      .map((word) => word?.match(/[\p{L}\p{N}]/u)?.[0] ?? "")
      .join("")
      .toUpperCase() || "–"
  );
}

/** One of eight tints, the same for the same text. */
export function tint(text: string): number {
  let sum = 0;
  for (let at = 0; at < text.length; at++) sum = (sum * 31 + text.charCodeAt(at)) % 9973;
  return sum % 8;
}

/** A value of a journal entry or conflict, whose form is not known. */
export function plain(value: unknown): string {
  if (value === null || value === undefined || value === "") return "empty";
  if (typeof value === "boolean") return value ? "Yes" : "No";
  if (typeof value === "object") {
    const lookup = value as { name?: unknown; id?: unknown };
    return String(lookup.name ?? lookup.id ?? JSON.stringify(value));
  }
  const text = String(value);
  return /^\d{4}-\d\d-\d\dT/.test(text) ? dateText(text, "moment") : text;
}
