// Questions to other processes: answered once, or given up.
import t from 'tap'
import { Questions } from '../../src/process/questions.ts'

void t.test('the answer, once; nobody else\'s', async (test) => {
  const questions = new Questions<string, number>()
  const put: string[] = []
  const [a, b] = ['a', 'b'].map((key) => questions.ask(key, () => void put.push(key), 60_000, -1))
  test.strictSame(put, ['a', 'b'])
  questions.answer('c', 9)
  questions.answer('b', 2)
  questions.answer('b', 3)
  questions.answer('a', 1)
  test.strictSame(await Promise.all([a, b]), [1, 2])
})

void t.test('no answer in time, or asked anew: given up', async (test) => {
  const questions = new Questions<string, number>()
  test.equal(await questions.ask('a', () => undefined, 1, -1), -1)
  const first = questions.ask('a', () => undefined, 60_000, -1)
  const second = questions.ask('a', () => questions.answer('a', 7), 60_000, -1)
  test.strictSame(await Promise.all([first, second]), [-1, 7], 'an answer may come at once')
})
