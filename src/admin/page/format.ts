// Numbers as people read them, each with its unit. English words, UTC, no locale: the same on every machine.
import { html, type Html } from './html.ts'

const MINUTE = 60
const HOUR = 3600
const DAY = 86_400
/** Stands where there is nothing to tell. */
export const NOTHING = '–'

/** A whole number with thin groups of three: 12 345. */
export function count(value: number): string {
  return Math.round(value).toString().replace(/\B(?=(?:\d{3})+$)/g, '\u202F')
}

/** A count with the word for what is counted. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** A share, 0 to 1, as per cent; one decimal where it is small. Never 0 or 100 for what is neither. */
export function percent(share: number | null): string {
  if (share === null) return NOTHING
  const value = share * 100
  if (value > 0 && value < 0.1) return '< 0.1 %'
  if (value < 100 && value > 99.9) return '> 99.9 %'
  return `${value > 0 && value < 10 || value > 99 && value < 100 ? value.toFixed(1) : Math.round(value)} %`
}

/** Returns the text for a quantile in seconds: 0.8 ms, 12 ms, 1.5 s. Infinity lies beyond the last bucket, `longest`. */
export function latency(seconds: number | null, longest = 60): string {
  if (seconds === null) return NOTHING
  if (!Number.isFinite(seconds)) return `> ${longest} s`
  const [value, unit] = seconds < 1 ? [seconds * 1000, 'ms'] : [seconds, 's']
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`
}

/** How often a second, out of a count over some seconds. */
export function rate(value: number, seconds: number): string {
  const each = seconds > 0 ? value / seconds : 0
  return `${each === 0 || each >= 10 ? count(each) : each < 0.1 ? '< 0.1' : each.toFixed(1)} /s`
}

/** Given seconds, returns the two largest units: 3 d 4 h, 12 min, 8 s. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole >= DAY) return joined(whole, DAY, 'd', HOUR, 'h')
  if (whole >= HOUR) return joined(whole, HOUR, 'h', MINUTE, 'min')
  return whole >= MINUTE ? `${Math.floor(whole / MINUTE)} min` : `${whole} s`
}

function joined(seconds: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((seconds % large) / small)
  return `${Math.floor(seconds / large)} ${largeUnit}${rest === 0 ? '' : ` ${rest} ${smallUnit}`}`
}

/** A time, ms since the epoch, as 2026-11-26 04:21:10 UTC. */
export function moment(time: number): Html {
  const text = new Date(time).toISOString()
  return html`<time datetime="${text}">${text.slice(0, 19).replace('T', ' ')} UTC</time>`
}

/** How long ago a time was; the time itself where one points at it. Both in ms since the epoch. */
export function ago(time: number, now: number): Html {
  const text = new Date(time).toISOString()
  return html`<time datetime="${text}" title="${text.slice(0, 19).replace('T', ' ')} UTC">${duration((now - time) / 1000)} ago</time>`
}
