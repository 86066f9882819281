import { expect, it } from 'vitest';
import { SseParser, type SseMessage } from './sse';

function parse(...pieces: string[]): SseMessage[] {
  const got: SseMessage[] = [];
  const parser = new SseParser((message) => got.push(message));
  pieces.forEach((piece) => parser.push(piece));
  return got;
}

it('reads messages cut anywhere', () => {
  const text = ': beat\n\nid: k-1\nevent: delta\ndata: {"a":\ndata: 1}\n\ndata:x\r\n\r\nevent: gone\n\n';
  const whole = parse(text);
  expect(whole).toEqual([
    { id: 'k-1', event: 'delta', data: '{"a":\n1}' },
    { id: 'k-1', event: 'message', data: 'x' },
  ]);
  expect(parse(...text)).toEqual(whole);
});
