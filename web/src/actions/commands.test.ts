import { expect, it, vi } from 'vitest';
import { actionCommands, limitCommands, rollingCommands, scaleCommands } from './commands';

vi.stubGlobal('location', { origin: 'http://localhost:3000' });

const post = (path: string, body: string) => `curl -X POST 'http://localhost:3000${path}' -H 'Content-Type: application/json' -d '${body}'`;

it('writes what is asked as commands', () => {
  expect(actionCommands('stop', [3, 1, 2])).toEqual({ farmd: 'farmd stop 1-3', curl: post('/api/servers/action', '{"ids":"1-3","action":"stop"}') });
  expect(rollingCommands([1, 5], 2)).toEqual({
    farmd: 'farmd rolling-restart 1,5 --max-unavailable 2', curl: post('/api/rolling-restart', '{"ids":"1,5","max_unavailable":2}'),
  });
  expect(scaleCommands(7, '')).toEqual({ farmd: 'farmd scale 7', curl: post('/api/scale', '{"servers":7}') });
  expect(limitCommands([1], { cpu: 0.5 })).toMatchObject({ farmd: 'farmd set 1 --cpu 0.5' });
  expect(limitCommands([1], { memory: '200M' }).curl).toContain(`'{"ids":"1","memory":"200M"}'`);
});

it('leaves nothing for the shell to obey', () => {
  expect(scaleCommands(7, `x'; rm -rf $HOME`).farmd).toBe(`farmd scale 7 --group 'x'\\''; rm -rf $HOME'`);
  expect(scaleCommands(7, `x'y`).curl).toContain(`"group":"x'\\''y"`);
});
