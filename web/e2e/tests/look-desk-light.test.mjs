import { lookAtAll } from '../lib/views.mjs';

lookAtAll('desk', 'light');
