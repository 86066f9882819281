import { lookAtAll } from '../lib/views.mjs';

lookAtAll('phone', 'light');
