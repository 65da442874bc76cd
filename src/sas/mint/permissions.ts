// The letters of `sp`: what each one allows, on which resource and from which version (spec/sas.md 11.2). Minting picks from
// this table, inspecting explains with it; admission never asks it, since permissions are the service's to judge.

/** What a token is for. Snapshots and versions have the letters of a blob. */
export type Resource = 'container' | 'blob' | 'directory' | 'share' | 'file' | 'queue' | 'table' | 'account'

export interface Permission {
  readonly letter: string
  readonly means: string
  /** The first service version that knows it there. */
  readonly from: string
}

const EVER = '2015-04-05'

const ROWS: readonly (readonly [letter: string, resources: string, from: string, means: string])[] = [
  ['r', 'container blob directory', EVER, 'read blobs and their properties'],
  ['r', 'share file', EVER, 'read files and their properties'],
  ['r', 'queue', EVER, 'read properties, peek at messages'],
  ['r', 'table', EVER, 'read entities'],
  ['r', 'account', EVER, 'read'],
  ['a', 'container blob directory', EVER, 'add blocks to append blobs'],
  ['a', 'queue', EVER, 'add messages'],
  ['a', 'table', EVER, 'add entities'],
  ['a', 'account', EVER, 'add messages, entities and blocks'],
  ['c', 'container blob directory', EVER, 'create blobs'],
  ['c', 'share file', EVER, 'create files'],
  ['c', 'account', EVER, 'create what is not there yet'],
  ['w', 'container blob directory', EVER, 'write blobs, their properties and metadata'],
  ['w', 'share file', EVER, 'write files, their properties and metadata'],
  ['w', 'account', EVER, 'write'],
  ['d', 'container blob directory', EVER, 'delete blobs'],
  ['d', 'share file', EVER, 'delete files'],
  ['d', 'table', EVER, 'delete entities'],
  ['d', 'account', EVER, 'delete'],
  ['x', 'container blob account', '2019-12-12', 'delete versions of blobs'],
  ['y', 'container blob account', '2020-02-10', 'delete for good what is soft-deleted'],
  ['l', 'container directory', EVER, 'list blobs'],
  ['l', 'share', EVER, 'list files'],
  ['l', 'account', EVER, 'list'],
  ['t', 'container blob account', '2019-12-12', 'read and write tags'],
  ['f', 'container', '2021-04-10', 'find blobs by tags'],
  ['f', 'account', '2019-12-12', 'find blobs by tags'],
  ['m', 'container blob directory', '2020-02-10', 'move'],
  ['e', 'container blob directory', '2020-02-10', 'read properties and access lists'],
  ['o', 'container blob directory', '2020-02-10', 'change the owner'],
  ['p', 'container blob directory', '2020-02-10', 'change access lists'],
  ['p', 'queue account', EVER, 'take messages and delete them'],
  ['i', 'container blob account', '2020-06-12', 'set immutability and legal hold'],
  ['u', 'queue', EVER, 'update messages'],
  ['u', 'table', EVER, 'update entities'],
  ['u', 'account', EVER, 'update messages and entities'],
]

const BLOB_ORDER = 'racwdxyltfmeopi'
const ORDERS: Readonly<Record<Resource, string>> = {
  container: BLOB_ORDER, blob: BLOB_ORDER, directory: BLOB_ORDER, share: 'rcwdl', file: 'rcwd', queue: 'raup', table: 'raud', account: 'rwdxyltfacupi',
}
/** All others change something. */
const READING = 'rlfe'

/** The letters of a resource in the order in which they are written. */
export const PERMISSIONS: Readonly<Record<Resource, readonly Permission[]>> = {
  container: permissionsOf('container'), blob: permissionsOf('blob'), directory: permissionsOf('directory'), share: permissionsOf('share'),
  file: permissionsOf('file'), queue: permissionsOf('queue'), table: permissionsOf('table'), account: permissionsOf('account'),
}

/** The letters of `sp` that change something, in their order. */
export function writingLetters(sp: string): string {
  return sp.split('').filter((letter) => !READING.includes(letter)).join('')
}

/** The letter on that resource; undefined where it means nothing there. */
export function permissionFor(resource: Resource, letter: string): Permission | undefined {
  return PERMISSIONS[resource].find((permission) => permission.letter === letter)
}

function permissionsOf(resource: Resource): readonly Permission[] {
  const own = ROWS.filter(([, resources]) => resources.split(' ').includes(resource))
  return ORDERS[resource].split('').flatMap((letter) => own.filter((row) => row[0] === letter).map(([, , from, means]) => ({ letter, means, from })))
}
