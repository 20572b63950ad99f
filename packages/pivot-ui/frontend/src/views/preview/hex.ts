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

const LOADED = /\.(pkl|pickle|joblib|pt|pth|ckpt)$/i;
const PACKED = /\.(gz|bz2|xz|zst|zip|tar|tgz|7z)$/i;
const ARRAYS = /\.(npy|npz|h5|hdf5|safetensors|onnx)$/i;

/** Why a file is shown as bytes, by its name. */
export function binaryText(path: string): string {
  if (LOADED.test(path)) return "This is a pickle or a model; it is never loaded here, since that would run code in it.";
  if (PACKED.test(path)) return "This file is compressed; it is not unpacked here.";
  if (ARRAYS.test(path)) return "This file has arrays, which are not shown here.";
  return "This file has no form that can be shown.";
}
