// Two pages: the dashboard, and the documentation of the API, whose library is loaded by that page alone.
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const api = process.env.FARMD_API ?? 'http://localhost:8000';

export default defineConfig({
  root: 'src',
  plugins: [react()],
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0, // what is inlined would need a weaker content security policy
    modulePreload: { polyfill: false },
    rollupOptions: { input: { index: 'src/index.html', docs: 'src/docs.html' } },
  },
  worker: { format: 'es' },
  server: { proxy: { '/api': api, '/openapi.json': api } },
  test: { root: '.', include: ['src/**/*.test.ts'] },
});
