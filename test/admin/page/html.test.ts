// Templates escape whatever is put into them, and only what came out of a template goes in as it is.
import { assert, property, string } from 'fast-check'
import t from 'tap'
import { escape, fixed, html } from '../../../src/admin/page/html.ts'

const HOSTILE = ['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', '\' onmouseover=\'alert(1)', '&lt;b&gt;', '`${7}`', '</title><svg/onload=1>', 'javascript:alert(1)', ']]>', '<!--']

void t.test('text is escaped, in elements and in attributes', async (test) => {
  for (const text of HOSTILE) {
    const page = html`<p title="${text}">${text}</p>`.toString()
    test.notMatch(page.slice(3, -4), /<(?!\/p>)[a-z!/]/i, text)
    test.equal(page.split('"').length, 3, 'no quote of its own')
    test.notMatch(page, /['`]/)
  }
})

void t.test('no text whatever makes an element or leaves an attribute', async () => {
  assert(property(string({ unit: 'binary' }), (text) => !/[<>"'`]/.test(escape(text)) && unescaped(escape(text)) === text.replace(/[\n\t]/g, ' ').replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\uFFFD')))
})

const unescaped = (text: string): string => text.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&quot;/g, '"').replace(/&#39;/g, '\'').replace(/&#96;/g, '`').replace(/&amp;/g, '&')

void t.test('what cannot be seen is shown: no right-to-left override, no line of its own', async (test) => {
  test.equal(escape('a\u202Eb\u0000c\u200Bd\ne\r'), 'a\uFFFDb\uFFFDc\uFFFDd e\uFFFD')
})

void t.test('templates go into templates as they are, lists joined, nothing for nothing', async (test) => {
  test.equal(html`<ul>${['<a>', '<b>'].map((it) => html`<li>${it}</li>`)}</ul>${false}${null}${undefined}${0}`.toString(), '<ul><li>&lt;a&gt;</li><li>&lt;b&gt;</li></ul>0')
  test.equal(html`${[['a', ['&']], 1]}`.toString(), 'a&amp;1')
  test.equal(html`<style>${fixed('a>b{}')}</style>`.toString(), '<style>a>b{}</style>')
})
