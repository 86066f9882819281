import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './App';
import { farm } from './live/farm';
import { Failed } from './ui/Failed';
import { watchTheme } from './state/theme';
import './styles/tokens.css';
import './styles/base.css';
import './ui/ui.css';
import './styles/layout.css';

watchTheme();
farm.connect();
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <Failed>
      <App />
    </Failed>
  </StrictMode>,
);
