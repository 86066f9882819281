// Server-sent events read through fetch: it tells the status of a refusal, sends a body, and ends when told to, all of
// which EventSource doesn't do.

export interface SseMessage {
  id: string;
  event: string;
  data: string;
}

export interface SseHandlers {
  onMessage(message: SseMessage): void;
  /** Something came, be it a comment. */
  onLife?(): void;
}

/** Takes the text as it comes, in pieces of any size, and tells each whole message. */
export class SseParser {
  private rest = '';
  private id = '';
  private event = '';
  private data: string[] = [];

  constructor(private readonly onMessage: (message: SseMessage) => void) {}

  push(text: string): void {
    this.rest += text;
    let begin = 0;
    for (let end = this.rest.indexOf('\n'); end >= 0; end = this.rest.indexOf('\n', begin)) {
      this.line(this.rest.slice(begin, this.rest[end - 1] === '\r' ? end - 1 : end));
      begin = end + 1;
    }
    this.rest = this.rest.slice(begin);
  }

  private line(line: string): void {
    if (line === '') {
      if (this.data.length > 0)
        this.onMessage({ id: this.id, event: this.event || 'message', data: this.data.join('\n') });
      this.event = '';
      this.data = [];
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') this.data.push(value);
    else if (field === 'event') this.event = value;
    else if (field === 'id') this.id = value;
  }
}

/** Resolves when the answer ends; throws what fetch throws. The caller has looked at the status. */
export async function readSse(response: Response, handlers: SseHandlers): Promise<void> {
  if (!response.body) return;
  const parser = new SseParser((message) => handlers.onMessage(message));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    handlers.onLife?.();
    parser.push(value);
  }
}
