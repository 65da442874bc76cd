import t from 'tap'
import { forbiddenField } from '../../src/azure/forbidden-fields.ts'

void t.test('fields that no rule allows are named', async (test) => {
  const rows: readonly [name: string, value: string][] = [
    ['X-HTTP-Method', 'DELETE'], ['x-http-method-override', 'PATCH'], ['x-ms-acl', 'user::rwx'], ['X-Ms-Blob-Public-Access', 'blob'],
    ['x-ms-deleted-container-name', 'a'], ['x-ms-source-container-name', 'a'], ['x-ms-deleted-share-name', 'a'],
    ['x-ms-immutability-policy-until-date', 'Fri'], ['x-ms-immutability-policy-mode', 'locked'], ['x-ms-legal-hold', 'true'],
    ['x-ms-copy-source-authorization', 'Bearer x'], ['x-ms-previous-snapshot-url', 'https://a/b'],
    ['x-ms-anything-new', 'https://tideoffice.blob.core.windows.net/a/b'], ['x-ms-anything-new', ' HTTP://a'], ['x-ms-anything-new', '"https://a"'], ['x-ms-anything-new', '//a/b'],
    ['x-ms-anything-new', 'abfss://a@b'], ['x-ms-undelete-source', '/other/path?deletionid=1'],
  ]
  for (const [name, value] of rows) test.equal(forbiddenField(['accept', '*/*', name, value]), name.toLowerCase(), `${name}: ${value}`)
})

void t.test('ordinary fields, metadata and the judged sources pass', async (test) => {
  const rows: readonly [name: string, value: string][] = [
    ['x-ms-version', '2021-12-02'], ['x-ms-meta-home', 'https://tide.example/'], ['x-ms-copy-source', 'https://a/b'], ['x-ms-rename-source', '/a/b'], ['x-ms-file-rename-source', 'https://a/b'],
    ['x-ms-blob-content-type', 'text/plain'], ['x-ms-undelete-source', '?deletionid=132'], ['referer', 'https://a'], ['x-ms-date', 'Fri, 04 Dec 2026 12:00:00 GMT'], ['x-ms-tags', 'a=https://b'],
    ['x-ms-properties', 'a=aHR0cHM6Ly8='],
  ]
  test.equal(forbiddenField(rows.flat()), undefined)
})
