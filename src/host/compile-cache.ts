// Where Node keeps what it compiled, so that a start takes half the time: beside the code and never in a folder that others
// may write, since it is code too. Where it cannot be written (a read-only image) Node goes without.
import { fileURLToPath } from 'node:url'

export const COMPILE_CACHE = fileURLToPath(new URL('../../node_modules/.cache/tidegate', import.meta.url))
