// Why a command of `tidegate office` does nothing: a sentence for the person who asked.

/** The request is not allowed, or the folder is in the wrong state. The message is one sentence and holds no secret. */
export class OfficeFault extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'OfficeFault'
  }
}
