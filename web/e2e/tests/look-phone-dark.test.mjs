import { lookAtAll } from '../lib/views.mjs';

lookAtAll('phone', 'dark');
