// The interactive documentation of the API. Its library is loaded by this page alone. Requests that are tried out go to the
// farm that the page is of, wherever it listens.
import SwaggerUI from 'swagger-ui-dist/swagger-ui-es-bundle.js';
import 'swagger-ui-dist/swagger-ui.css';

const description = (await (await fetch('/openapi.json')).json()) as object;
const spec = { ...description, servers: [{ url: location.origin }] };

SwaggerUI({ spec, dom_id: '#docs', deepLinking: true, validatorUrl: null, tryItOutEnabled: true });
