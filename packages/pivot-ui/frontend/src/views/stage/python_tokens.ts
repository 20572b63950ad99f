// The parts of Python source that are coloured. It knows no grammar: only comments, texts, numbers, keywords and names that are defined.

interface Token {
  text: string;
  kind: "comment" | "text" | "number" | "keyword" | "definition" | "decorator" | "";
}

const KEYWORDS = new Set(
  ("False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda " +
    "nonlocal not or pass raise return try while with yield match case type").split(" "),
);
const TOKEN =
  /(#[^\n]*)|((?:[rbfut]|rb|br|fr|rf|tr|rt)?(?:"""(?:[^\\]|\\[^])*?(?:"""|$)|'''(?:[^\\]|\\[^])*?(?:'''|$)|"(?:[^"\\\n]|\\[^])*"?|'(?:[^'\\\n]|\\[^])*'?))|(\b(?:0[xob][\da-f_]+|\d[\d_]*(?:\.[\d_]*)?(?:e[+-]?\d+)?j?)\b)|((?<=\n|^)[ \t]*@[\w.]+)|([\p{L}_][\p{L}\p{N}_]*)/giu;

/** The tokens of each line. */
export function pythonLines(source: string): Token[][] {
  const lines: Token[][] = [[]];
  const put = (text: string, kind: Token["kind"]): void =>
    text.split("\n").forEach((part, at) => {
      if (at) lines.push([]);
      if (part) lines.at(-1)?.push({ text: part, kind });
    });
  let [from, before] = [0, ""];
  for (const found of source.matchAll(TOKEN)) {
    put(source.slice(from, found.index), "");
    const [text, comment, quoted, number, decorator, name] = found;
    from = found.index + text.length;
    if (comment) put(text, "comment");
    else if (quoted) put(text, "text");
    else if (number) put(text, "number");
    else if (decorator) put(text, "decorator");
    else if (before === "def" || before === "class") put(text, "definition");
    else put(text, KEYWORDS.has(text) && !isAttribute(source, found.index) && !isSoftName(source, text, found.index) ? "keyword" : "");
    before = name ?? "";
  }
  put(source.slice(from), "");
  return lines;
}

const isAttribute = (source: string, at: number): boolean => source[at - 1] === ".";

/** `match`, `case` and `type` are keywords only at the beginning of a line, before something other than = or ( or a dot. */
function isSoftName(source: string, text: string, at: number): boolean {
  if (!["match", "case", "type"].includes(text)) return false;
  const line = source.slice(source.lastIndexOf("\n", at - 1) + 1, at);
  return line.trim() !== "" || !/^ +[^=\s.,)]/.test(source.slice(at + text.length, at + text.length + 40));
}
