/**
 * The page an operator logs in on: one form, no script, nothing from elsewhere, and a policy that holds a browser to it
 * (CSP 3). Texts of requests are escaped; what went wrong is said from a list, never in words of a link.
 */
import { createHash } from 'node:crypto';

const STYLE = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; }
main { width: min(22rem, 90vw); }
h1 { font-size: 1.25rem; }
label { display: block; margin-top: 1rem; }
input, button { box-sizing: border-box; width: 100%; padding: .5rem; font: inherit; }
button { margin-top: 1.5rem; }
[role=alert] { border-left: .25rem solid #c62828; padding: .25rem .75rem; }
`;

export const LOGIN_PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': [
    "default-src 'none'",
    `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
};

const ERRORS: ReadonlyMap<string, string> = new Map([
  ['credentials', 'The name or the password is wrong.'],
  ['limited', 'There were too many attempts. Wait a minute, then try again.'],
  ['unavailable', 'The login cannot be recorded at the moment, so nobody is let in.'],
]);

/** `next`: where to go on to. `error`: one of the words above; others are no error. */
export function renderLoginPage({ next, error }: { next: string; error: string | null }): string {
  const message = error === null ? undefined : ERRORS.get(error);
  const alert = message === undefined ? '' : `<p id="error" role="alert">${escapeHtml(message)}</p>\n`;
  const described = message === undefined ? '' : ' aria-invalid="true" aria-describedby="error"';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${message === undefined ? '' : 'Error: '}Log in - Gatehouse</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Log in to Gatehouse</h1>
${alert}<form method="post" action="/login">
<input type="hidden" name="next" value="${escapeHtml(next)}">
<label for="username">Name</label>
<input id="username" name="username" type="text" autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus${described}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required${described}>
<button type="submit">Log in</button>
</form>
</main>
</body>
</html>
`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, sign => ENTITIES[sign] ?? '');
}
