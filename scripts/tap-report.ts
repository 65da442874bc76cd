// What of a TAP stream a person wants to read: how many assertions passed, which failed and why, which were skipped and why.
import { Parser, type Result } from 'tap-parser'
import { stringify } from 'yaml'

export interface Report {
  passed: number
  readonly failed: { readonly name: string; readonly why: string }[]
  readonly skipped: { readonly name: string; readonly reason: string }[]
}

/**
 * Given what is to be told of each finished test file, one line each, returns the parser to write TAP into, and the report,
 * which is whole when the parser has ended. Counted are assertions; a test that fails without one (a crash, a timeout, a
 * wrong plan) counts as one.
 */
export function reporter(tell: (line: string) => void): { parser: Parser; report: Report } {
  const report: Report = { passed: 0, failed: [], skipped: [] }
  const parser = new Parser()
  parser.on('assert', (file: Result) => tell(fileLine(file)))
  parser.on('bailout', (reason: string) => report.failed.push({ name: 'bail out', why: reason }))
  watch(parser, report)
  return { parser, report }
}

function watch(parser: Parser, report: Report): void {
  let failedBefore = 0
  parser.on('child', (child: Parser) => {
    failedBefore = report.failed.length
    watch(child, report)
  })
  parser.on('assert', (result: Result) => count(result, report, failedBefore))
}

// The closing point of a subtest repeats what its assertions said, except for a failure of its own.
function count(result: Result, report: Report, failedBefore: number): void {
  const set = result.skip === false || result.skip === undefined ? result.todo : result.skip
  if (set !== false && set !== undefined) report.skipped.push({ name: name(result), reason: reason(set, result) })
  else if (!result.closingTestPoint && result.ok) report.passed += 1
  else if (!result.ok && (!result.closingTestPoint || report.failed.length === failedBefore)) report.failed.push({ name: name(result), why: why(result) })
}

const name = ({ fullname, name: own }: Result): string => fullname === '' ? own : fullname

const reason = (set: boolean | string, result: Result): string =>
  [result.todo === false || result.todo === undefined ? '' : 'to do', typeof set === 'string' ? set : ''].filter((part) => part !== '').join(': ') || 'no reason given'

const why = ({ diag, tapError }: Result): string => [tapError ?? '', diag === null ? '' : stringify(diag).trimEnd()].filter((part) => part !== '').join('\n')

const fileLine = ({ ok, name: file, time, skip }: Result): string =>
  `${ok ? 'ok  ' : 'FAIL'} ${file}${time === null ? '' : ` (${(time / 1000).toFixed(1)} s)`}${typeof skip === 'string' ? `, skipped: ${skip}` : ''}`

/** Given a report, returns its failures in full and its skipped tests, one line each. */
export function details({ failed, skipped }: Report): string {
  return [
    ...failed.map((failure) => `\nFAILED ${failure.name}\n${failure.why.replaceAll(/^/gm, '    ')}`),
    ...(skipped.length === 0 ? [] : ['\nskipped:', ...skipped.map((test) => `    ${test.name}: ${test.reason}`)]),
  ].join('\n')
}

/** The last line of a run: `N passed, N failed`, and what was skipped where something was. */
export function lastLine({ passed, failed, skipped }: Report): string {
  return `${passed} passed, ${failed.length} failed${skipped.length === 0 ? '' : `, ${skipped.length} skipped`}`
}
