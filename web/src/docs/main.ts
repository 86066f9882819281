// The interactive documentation of the API. Its library is loaded by this page alone. Requests that are tried out go to the
// farm that the page is of, wherever it listens. It has the dashboard's theme.
import SwaggerUI from 'swagger-ui-dist/swagger-ui-es-bundle.js';
import 'swagger-ui-dist/swagger-ui.css';
import { useScheme, watchTheme } from '../state/theme';
import '../styles/tokens.css';
import { mend } from './mend';
import './docs.css';

const setScheme = ({ scheme }: { scheme: string }): boolean => document.documentElement.classList.toggle('dark-mode', scheme === 'dark');

watchTheme();
setScheme(useScheme.getState());
useScheme.subscribe(setScheme);

const description = (await (await fetch('/openapi.json')).json()) as object;
const spec = { ...description, servers: [{ url: location.origin }] };

mend(document.getElementById('docs')!);
SwaggerUI({
  spec,
  dom_id: '#docs',
  deepLinking: true,
  validatorUrl: null,
  tryItOutEnabled: true,
  syntaxHighlight: { theme: 'obsidian' }, // all of its colours can be read
});
