// The chat's page: nothing from outside, no inline code, only our own script and style. Pure.

export interface PageParts {
  /** What the editor serves the extension's own files from. */
  source: string;
  script: string;
  style: string;
  nonce: string;
  language: string;
}

export function chatPage({ source, script, style, nonce, language }: PageParts): string {
  const policy = `default-src 'none'; style-src ${source}; script-src 'nonce-${nonce}'; base-uri 'none'; form-action 'none'`;
  return `<!DOCTYPE html>
<html lang="${language}">
<head>
  <meta charset="utf-8">
  <meta http-equiv="Content-Security-Policy" content="${policy}">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <link rel="stylesheet" href="${style}">
  <title>Kore</title>
</head>
<body>
  <div id="kore-chat"></div>
  <script nonce="${nonce}" src="${script}"></script>
</body>
</html>`;
}
