// Times as the service writes them (spec/sas.md 11.1). Only for comparing: what is signed is always the text.

const TIME = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,7}))?)?(?:Z|([+-])(\d\d):(\d\d))?)?$/
const DATE = /^(\d{4})-(\d\d)-(\d\d)$/

/**
 * Milliseconds since the epoch; undefined where the text is not one of the accepted forms or no real time. A date alone is
 * midnight UTC, a time without a zone is UTC. What is finer than a millisecond is cut off, which never lengthens a token.
 */
export function parseTime(text: string): number | undefined {
  const parts = TIME.exec(text)
  if (parts === null) return undefined
  // By index: taking a match apart as a list costs more than matching it, and this runs twice for each token.
  const year = Number(parts[1])
  const month = Number(parts[2])
  const day = Number(parts[3])
  const [hour, minute, second] = [Number(parts[4] ?? 0), Number(parts[5] ?? 0), Number(parts[6] ?? 0)]
  if (!isRealDay(year, month, day) || !isRealClock(hour, minute, second)) return undefined
  const written = Date.UTC(year, month - 1, day, hour, minute, second, millisecondsIn(parts[7]))
  return parts[8] === undefined ? written : inZone(written, parts[8], Number(parts[9]), Number(parts[10]))
}

function millisecondsIn(fraction: string | undefined): number {
  return fraction === undefined ? 0 : Number(fraction.slice(0, 3).padEnd(3, '0'))
}

function inZone(written: number, sign: string, hours: number, minutes: number): number | undefined {
  if (!isRealClock(hours, minutes, 0)) return undefined
  const zone = (hours * 60 + minutes) * 60_000
  return sign === '-' ? written + zone : written - zone
}

/** Returns whether the text is `YYYY-MM-DD` of a real day, as a service version has to be. */
export function isDate(text: string): boolean {
  const parts = DATE.exec(text)
  return parts !== null && isRealDay(Number(parts[1]), Number(parts[2]), Number(parts[3]))
}

function isRealDay(year: number, month: number, day: number): boolean {
  return month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month)
}

function daysIn(year: number, month: number): number {
  if (month !== 2) return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
}

function isRealClock(hour: number, minute: number, second: number): boolean {
  return hour <= 23 && minute <= 59 && second <= 59
}
