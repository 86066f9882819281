import { lookAtAll } from '../lib/views.mjs';

lookAtAll('desk', 'dark');
