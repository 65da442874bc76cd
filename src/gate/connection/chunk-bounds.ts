// What a body in chunks brings beside its bytes: extensions and trailers, which go nowhere and must not come without end
// (security.md D7, D8). Node bounds the extensions of each chunk and gives trailers as much room as a head.
import type { IncomingMessage } from 'node:http'
import type { Detail } from '../../refusal.ts'

/** Bytes of extensions, of all chunks together, and of trailers. */
const LIMIT = 16384
/** What a connection gives at once: some of it may be the chunks to come. */
const RECORD = 16384
/** Size, line ends, and a few zeros. */
const FRAME = 24

/**
 * Watches a chunked request as it is read. Calls `exceeded` once, before the end of the body is told, where extensions or
 * trailers are over the limit, or trailers have more than `fields` fields.
 */
export function boundChunks(request: IncomingMessage, fields: number, exceeded: (detail: Detail) => void): void {
  const { socket } = request
  const start = socket.bytesRead
  let body = 0
  let told = false
  const own = request.push.bind(request)
  const tell = (why: string | undefined): void => {
    if (why === undefined || told) return
    told = true
    exceeded({ why })
  }
  request.push = (piece: Buffer | null, encoding?: BufferEncoding) => {
    if (piece === null) tell(trailerFault(request.rawTrailers, fields))
    else {
      body += piece.length + FRAME
      if (socket.bytesRead - start - body > LIMIT + RECORD) tell('chunk extensions')
    }
    return own(piece, encoding)
  }
}

function trailerFault(raw: readonly string[], fields: number): string | undefined {
  if (raw.length / 2 > fields) return 'trailer fields'
  // Each with its colon, blank and line end.
  return raw.reduce((sum, part) => sum + part.length + 2, 0) > LIMIT ? 'trailers' : undefined
}
