// Ranges of plaintext and the stored bytes that hold them (spec/client-side-encryption.md 4.2, 7.5.4).
import { OVERHEAD } from './regions.ts'

/** Inclusive; `end` is undefined for a range that runs to the end of the blob. */
export interface Range {
  readonly start: number
  readonly end: number | undefined
}

const FORM = /^bytes=(\d{1,15})-(\d{1,15})?$/

/** Parses `bytes=a-b` and `bytes=a-`; undefined for every other form. */
export function parseRange(text: string): Range | undefined {
  const [, from, to] = FORM.exec(text) ?? []
  if (from === undefined) return undefined
  const range = { start: Number(from), end: to === undefined ? undefined : Number(to) }
  return range.end !== undefined && range.end < range.start ? undefined : range
}

/** Stored bytes, inclusive, and the region that they begin with. */
export interface StoredRange {
  readonly first: number
  readonly from: number
  /** Undefined: to the end of the blob. */
  readonly to: number | undefined
}

/** Returns the stored bytes of the whole regions that hold a range. */
export function storedRange({ start, end }: Range, regionLength: number): StoredRange {
  const whole = regionLength + OVERHEAD
  const first = Math.floor(start / regionLength)
  return { first, from: first * whole, to: end === undefined ? undefined : (Math.floor(end / regionLength) + 1) * whole - 1 }
}

/** Returns a range cut to a blob of `plain` bytes; undefined where it begins at the end or later (416). */
export function withinBlob({ start, end }: Range, plain: number): { readonly start: number; readonly end: number } | undefined {
  return start >= plain ? undefined : { start, end: Math.min(end ?? plain - 1, plain - 1) }
}

const CONTENT_RANGE = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/

/** Parses the Content-Range of a 206; undefined where it is not one. */
export function parseContentRange(text: string | undefined): { readonly from: number; readonly to: number; readonly total: number } | undefined {
  const [, from, to, total] = CONTENT_RANGE.exec(text ?? '') ?? []
  return total === undefined ? undefined : { from: Number(from), to: Number(to), total: Number(total) }
}
