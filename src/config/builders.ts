// The schema builders that schema.ts uses. TypeBox has them too, and its types are used here, but loading it would cost each
// process 16 MB of memory.
import type { TArray, TObject, TOptional, TProperties, TSchema, TUnion, TUnsafe } from 'typebox'

/** Optional keys carry a mark that is not enumerable, so that it never reaches the JSON Schema. */
const OPTIONAL = '~optional'

export const Type = {
  /** Returns the schema as it is; `T` is what a value of it is in TypeScript. */
  Unsafe: <T>(schema: TSchema): TUnsafe<T> => schema as TUnsafe<T>,

  /** Returns the schema of a list. */
  Array: <T extends TSchema>(items: T, options: object): TArray<T> => ({ type: 'array', items, ...options }) as TArray<T>,

  /** Returns the schema of an object; each key without the mark of `Optional` is required. */
  Object: <P extends TProperties>(properties: P, options: object): TObject<P> => {
    const required = Object.keys(properties).filter((key) => !Object.hasOwn(properties[key] ?? {}, OPTIONAL))
    return { type: 'object', ...(required.length === 0 ? {} : { required }), properties, ...options } as unknown as TObject<P>
  },

  /** Returns a copy of the schema that is marked as optional. */
  Optional: <T extends TSchema>(schema: T): TOptional<T> =>
    Object.defineProperty({ ...schema }, OPTIONAL, { value: true }) as unknown as TOptional<T>,

  /** Returns the schema of a value that fits one of several. */
  Union: <T extends TSchema[]>(anyOf: readonly [...T], options: object): TUnion<T> => ({ anyOf, ...options }) as unknown as TUnion<T>,
}
