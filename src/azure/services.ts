// What differs between the storage services on the outside: names, error format, canonical resource.

export const SERVICE_NAMES = ['blob', 'dfs', 'file', 'queue', 'table'] as const
export type ServiceName = (typeof SERVICE_NAMES)[number]

/** `xml` for blob, file and queue; OData JSON for table; plain JSON for dfs (spec/sas.md 15.1). */
export type ErrorFormat = 'xml' | 'odata' | 'json'

export interface ServiceTraits {
  readonly errorFormat: ErrorFormat
  /** The service's word in a canonicalized resource; dfs is signed as blob (spec/sas.md 6.1). */
  readonly resourceWord: 'blob' | 'file' | 'queue' | 'table'
  /** The letter in `ss` of an account SAS (spec/sas.md 2.1). */
  readonly accountSasLetter: 'b' | 'f' | 'q' | 't'
}

export const SERVICES: Readonly<Record<ServiceName, ServiceTraits>> = Object.freeze({
  blob: { errorFormat: 'xml', resourceWord: 'blob', accountSasLetter: 'b' },
  dfs: { errorFormat: 'json', resourceWord: 'blob', accountSasLetter: 'b' },
  file: { errorFormat: 'xml', resourceWord: 'file', accountSasLetter: 'f' },
  queue: { errorFormat: 'xml', resourceWord: 'queue', accountSasLetter: 'q' },
  table: { errorFormat: 'odata', resourceWord: 'table', accountSasLetter: 't' },
})
