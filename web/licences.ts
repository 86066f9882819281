// Writes docs/licences.txt beside the page: the licences of the libraries that are bundled into it, as they ask for.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';

const FILE = /^(licen[cs]e|notice|.*\.licen[cs]e\.txt$)/i;
const PACKAGE = /^(.*\/node_modules\/((?:@[^/]+\/)?[^/]+))\//;

function textOf(folder: string, name: string, isBundled: (file: string) => boolean): string {
  const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string; license?: string };
  const texts = readdirSync(folder)
    .filter((file) => FILE.test(file) && isBundled(join(folder, file.replace(/\.licen[cs]e\.txt$/i, ''))))
    .map((file) => readFileSync(join(folder, file), 'utf8').trim());
  if (texts.length === 0) throw new Error(`${name} comes without the text of its licence`);
  return `${name} ${version}${license ? `, ${license}` : ''}\n\n${texts.join('\n\n')}\n`;
}

export function licences(): Plugin {
  return {
    name: 'licences',
    generateBundle() {
      const modules = [...this.getModuleIds()].map((id) => id.replace(/^\0+/, '').replace(/\?.*$/, ''));
      const packages = new Map<string, string>();
      for (const id of modules) {
        const found = PACKAGE.exec(id);
        if (found && existsSync(join(found[1], 'package.json'))) packages.set(found[2], found[1]);
      }
      // A library that was bundled before it came here has a list for each of its files; those of other files don't count.
      const isBundled = (file: string): boolean => !file.endsWith('.js') || modules.includes(file);
      const source = [...packages]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, folder]) => textOf(folder, name, isBundled))
        .join(`\n${'-'.repeat(72)}\n\n`);
      this.emitFile({ type: 'asset', fileName: 'docs/licences.txt', source });
    },
  };
}
