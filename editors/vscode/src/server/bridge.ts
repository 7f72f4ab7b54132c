// `kore/lsp/*`: what the editor's own language servers know, asked for by the agent. Reads and answers, changes nothing.
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import type * as lsp from "vscode-languageclient/node";

/** The names of the requests that are answered here. */
export const BRIDGED = ["definition", "references", "hover", "documentSymbol", "diagnostics", "rename"];

type At = lsp.TextDocumentPositionParams;

export function serveBridge(client: LanguageClient): void {
  const { code2ProtocolConverter: out, protocol2CodeConverter: into } = client;

  async function ask<T>(command: string, params: { textDocument: { uri: string }; position?: lsp.Position }, ...more: unknown[]): Promise<T> {
    const uri = into.asUri(params.textDocument.uri);
    await vscode.workspace.openTextDocument(uri);
    const position = params.position ? [into.asPosition(params.position)] : [];
    return vscode.commands.executeCommand<T>(command, uri, ...position, ...more);
  }

  function locations(found: readonly (vscode.Location | vscode.LocationLink)[] | undefined): lsp.Location[] {
    return (found ?? []).map((each) =>
      "targetUri" in each
        ? { uri: out.asUri(each.targetUri), range: out.asRange(each.targetSelectionRange ?? each.targetRange) }
        : { uri: out.asUri(each.uri), range: out.asRange(each.range) },
    );
  }

  client.onRequest("kore/lsp/definition", async (params: At) => locations(await ask("vscode.executeDefinitionProvider", params)));
  client.onRequest("kore/lsp/references", async (params: At) => locations(await ask("vscode.executeReferenceProvider", params)));
  client.onRequest("kore/lsp/hover", async (params: At) => {
    const hovers = (await ask<vscode.Hover[] | undefined>("vscode.executeHoverProvider", params)) ?? [];
    const value = hovers.flatMap((each) => each.contents.map(markdown)).filter(Boolean).join("\n\n");
    return value ? { contents: { kind: "markdown", value } } : null;
  });
  client.onRequest("kore/lsp/documentSymbol", async (params: lsp.DocumentSymbolParams) => {
    const found = await ask<(vscode.DocumentSymbol | vscode.SymbolInformation)[] | undefined>("vscode.executeDocumentSymbolProvider", params);
    return (found ?? []).map((each) => symbol(each));
  });
  client.onRequest("kore/lsp/diagnostics", async (params: { textDocument?: { uri: string } }) => {
    const uri = params.textDocument && into.asUri(params.textDocument.uri);
    if (uri) return { kind: "full", items: out.asDiagnosticsSync(vscode.languages.getDiagnostics(uri)) };
    const all = vscode.languages.getDiagnostics().filter(([each]) => vscode.workspace.getWorkspaceFolder(each));
    return { items: all.map(([each, found]) => ({ kind: "full", uri: out.asUri(each), items: out.asDiagnosticsSync(found) })) };
  });
  client.onRequest("kore/lsp/rename", async (params: lsp.RenameParams) => {
    const edit = await ask<vscode.WorkspaceEdit | undefined>("vscode.executeDocumentRenameProvider", params, params.newName);
    if (!edit) return null;
    const changes: Record<string, lsp.TextEdit[]> = {};
    for (const [uri, edits] of edit.entries()) changes[out.asUri(uri)] = edits.map((each) => out.asTextEdit(each));
    return { changes };
  });

  function symbol(each: vscode.DocumentSymbol | vscode.SymbolInformation): lsp.DocumentSymbol {
    const kind = out.asSymbolKind(each.kind);
    if ("children" in each) {
      const { name, detail, range, selectionRange, children } = each;
      return { name, detail, kind, range: out.asRange(range), selectionRange: out.asRange(selectionRange), children: children.map(symbol) };
    }
    const range = out.asRange(each.location.range);
    return { name: each.name, kind, range, selectionRange: range };
  }
}

function markdown(content: vscode.MarkdownString | vscode.MarkedString): string {
  if (typeof content === "string") return content;
  return "language" in content ? `\`\`\`${content.language}\n${content.value}\n\`\`\`` : content.value;
}
