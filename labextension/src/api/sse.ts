/**
 * Server-sent events out of a byte stream: pure parsing, no connection.
 */

/** Takes pieces of text as they arrive and gives the `data` of each whole frame. */
export class FrameParser {
  private _rest = '';
  private _data: string[] = [];

  /** Data of the frames that `piece` completed; comments and other fields are passed over. */
  push(piece: string): string[] {
    const frames: string[] = [];
    const lines = (this._rest + piece).split(/\r\n|\n|\r(?!$)/);
    this._rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (this._data.length) {
          frames.push(this._data.join('\n'));
          this._data = [];
        }
      } else if (line.startsWith('data:')) {
        this._data.push(line.slice(line.startsWith('data: ') ? 6 : 5));
      }
    }
    return frames;
  }
}
