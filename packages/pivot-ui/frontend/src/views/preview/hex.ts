// Bytes as people read them: 16 in a row, and their letters.

/** The rows for bytes that are given as hexadecimal digits. */
export function hexRows(digits: string): string[] {
  const bytes = digits.match(/[0-9a-f]{2}/gi) ?? [];
  const rows: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = bytes.slice(at, at + 16);
    const letters = part.map((byte) => parseInt(byte, 16)).map((code) => (code >= 32 && code < 127 ? String.fromCharCode(code) : "."));
    rows.push(`${at.toString(16).padStart(4, "0")}  ${part.join(" ").padEnd(47)}  ${letters.join("")}`);
  }
  return rows;
}
