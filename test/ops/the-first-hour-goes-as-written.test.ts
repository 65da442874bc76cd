// A newcomer's first page, from `npm start` to a gateway of one's own.
import t from 'tap'
import { checkout } from '../support/checkout.ts'
import { follow, NAMES, pageOf } from '../support/follow.ts'
import { missingTerminal, openTerminal } from '../support/terminal.ts'

void t.test('docs/first-hour.md', { skip: missingTerminal ?? false }, async (test) => {
  await follow(test, await openTerminal(test, checkout(test), NAMES), pageOf('first-hour.md').blocks)
})
