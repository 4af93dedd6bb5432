// Times of day in a zone, and the instants that they mean. A clock that is put forward leaves times out; one that is put back has some twice.

/** What a clock in a zone shows at an instant, as fields of a form write it: 2026-03-29T01:30. */
export function localOf(instant: Date, zone: string): string {
  return new Date(instant.getTime() + offsetAt(instant, zone)).toISOString().slice(0, 16);
}

/** The instants at which a clock in a zone shows a time: none, one, or two. */
export function instantsOf(local: string, zone: string): Date[] {
  const guess = Date.parse(`${local}:00Z`);
  if (Number.isNaN(guess)) {
    return [];
  }
  const offsets = new Set([-day, 0, day].map((d) => offsetAt(new Date(guess + d), zone)));
  return [...offsets].map((offset) => new Date(guess - offset)).filter((at) => localOf(at, zone) === local.slice(0, 16)).sort((a, b) => a.getTime() - b.getTime());
}

/** A change of the clock. */
export interface Turn {
  at: Date;
  /** What the clock shows at that instant before it is changed, and after. */
  from: string;
  to: string;
}

/** The change of the clock in a zone within a day of a time; absent if there is none. */
export function turnNear(local: string, zone: string): Turn | undefined {
  const guess = Date.parse(`${local}:00Z`);
  if (Number.isNaN(guess)) {
    return undefined;
  }
  let [low, high] = [guess - day, guess + day];
  const before = offsetAt(new Date(low), zone);
  if (before === offsetAt(new Date(high), zone)) {
    return undefined;
  }
  while (high - low > 1000) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(new Date(middle), zone) === before) {
      low = middle;
    } else {
      high = middle;
    }
  }
  const at = Math.round(high / 60_000) * 60_000;
  return { at: new Date(at), from: new Date(at + before).toISOString().slice(11, 16), to: localOf(new Date(at), zone).slice(11) };
}

/** How far a zone is from UTC at an instant, such as UTC+02:00. */
export function offsetText(instant: Date, zone: string): string {
  const minutes = Math.round(offsetAt(instant, zone) / 60_000);
  if (minutes === 0) {
    return "UTC";
  }
  const two = (n: number) => String(n).padStart(2, "0");
  return `UTC${minutes < 0 ? "−" : "+"}${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`;
}

/** The zones that there are. */
export function zones(): string[] {
  return [...new Set(["UTC", ...Intl.supportedValuesOf("timeZone")])];
}

const day = 86_400_000;

const clocks = new Map<string, Intl.DateTimeFormat>();

function offsetAt(instant: Date, zone: string): number {
  let clock = clocks.get(zone);
  if (!clock) {
    clock = new Intl.DateTimeFormat("en-US", {
      timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
    });
    clocks.set(zone, clock);
  }
  const p: Record<string, number> = {};
  clock.formatToParts(instant).forEach((part) => (p[part.type] = Number(part.value)));
  return Date.UTC(p.year!, p.month! - 1, p.day!, p.hour!, p.minute!, p.second!) - Math.floor(instant.getTime() / 1000) * 1000;
}
