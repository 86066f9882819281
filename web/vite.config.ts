// Two pages: the dashboard, and the documentation of the API, whose library is loaded by that page alone.
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const farmd = {
  target: process.env.FARMD_API ?? 'http://localhost:8000',
  // The sources have a folder of that name too.
  bypass: (request: { url?: string }) => (/\.tsx?(\?|$)/.test(request.url ?? '') ? request.url : undefined),
};

export default defineConfig({
  root: 'src',
  plugins: [react()],
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0, // what is inlined would need a weaker content security policy
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1700, // swagger-ui, on its own page; what counts is measured by `make bench-web`
    rollupOptions: { input: { index: 'src/index.html', docs: 'src/docs.html' } },
  },
  worker: { format: 'es' },
  server: { proxy: { '/api': farmd, '/openapi.json': farmd } },
  test: { root: '.', include: ['src/**/*.test.ts'] },
});
