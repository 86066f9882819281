import { expect, it } from 'vitest';
import { levelOf, plain } from './text';

it('takes out what a terminal would obey', () => {
  expect(plain('\u001b[31mred\u001b[0m \u001b]0;title\u0007x\u001b]8;;http://a\u001b\\link')).toBe('red xlink');
  expect(plain('a\u0000b\u009bc\u202ed')).toBe('a�b�c�d');
  expect(plain('tab\tstays <img onerror=x>')).toBe('tab\tstays <img onerror=x>');
});

it('shows the beginning of what is too long', () => {
  const shown = plain('x'.repeat(1_000_000));
  expect(shown.length).toBeLessThan(2100);
  expect(shown).toContain('998,000 more characters');
});

it('guesses the level', () => {
  expect(levelOf('ERROR: no')).toBe('error');
  expect(levelOf('[warn] hm')).toBe('warning');
  expect(levelOf('errors=0 served')).toBe('info');
});
