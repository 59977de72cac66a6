/**
 * Text as HPACK writes it: the code of RFC 7541 Appendix B. It is canonical, so the length of each symbol's code is all there
 * is to know: codes count up by length, and within a length by symbol. Pure.
 */

/** Symbols by the length of their code in bits; 256 is the end of the text. */
const lengths: readonly (readonly [bits: number, symbols: string])[] = [
  [5, "48-50 97 99 101 105 111 115-116"],
  [6, "32 37 45-47 51-57 61 65 95 98 100 102-104 108-110 112 114 117"],
  [7, "58 66-87 89 106-107 113 118-122"],
  [8, "38 42 44 59 88 90"],
  [10, "33-34 40-41 63"],
  [11, "39 43 124"],
  [12, "35 62"],
  [13, "0 36 64 91 93 126"],
  [14, "94 125"],
  [15, "60 96 123"],
  [19, "92 195 208"],
  [20, "128 130-131 162 184 194 224 226"],
  [21, "153 161 167 172 176-177 179 209 216-217 227 229-230"],
  [22, "129 132-134 136 146 154 156 160 163-164 169-170 173 178 181 185-187 189-190 196 198 228 232-233"],
  [23, "1 135 137-141 143 147 149-152 155 157-158 165-166 168 174-175 180 182-183 188 191 197 231 239"],
  [24, "9 142 144-145 148 159 171 206 215 225 236-237"],
  [25, "199 207 234-235"],
  [26, "192-193 200-202 205 210 213 218-219 238 240 242-243 255"],
  [27, "203-204 211-212 214 221-223 241 244-248 250-254"],
  [28, "2-8 11-12 14-21 23-31 127 220 249"],
  [30, "10 13 22 256"],
];

interface Row {
  readonly bits: number;
  /** Code of the first symbol. */
  readonly first: number;
  readonly symbols: readonly number[];
}

const END = 256;
/** Padding is shorter than an octet (RFC 7541 §5.2). */
const MOST_PADDING = 7;

const rows: readonly Row[] = tabulate();

function tabulate(): Row[] {
  let code = 0;
  let before = 0;
  return lengths.map(([bits, text]) => {
    const symbols = text.split(" ").flatMap((part) => {
      const [from, to = from] = part.split("-").map(Number);
      return Array.from({ length: to - from + 1 }, (_, index) => from + index);
    });
    const first = code << (bits - before);
    code = first + symbols.length;
    before = bits;
    return { bits, first, symbols };
  });
}

/** @throws {SyntaxError} when the code ends wrongly, or says that the text ends. */
export function decodeHuffman(bytes: Uint8Array): string {
  let text = "";
  let code = 0;
  let bits = 0;
  for (const octet of bytes) {
    for (let at = 7; at >= 0; at--) {
      code = (code << 1) | (octet >> at) & 1;
      const symbol = symbolOf(code, ++bits);
      if (symbol === null) continue;
      if (symbol === END) throw new SyntaxError("text holds its own end");
      text += String.fromCharCode(symbol);
      code = bits = 0;
    }
  }
  // Filled up with the first bits of the end symbol, which are ones.
  if (bits > MOST_PADDING || code !== (1 << bits) - 1) throw new SyntaxError("text is cut off");
  return text;
}

function symbolOf(code: number, bits: number): number | null {
  const row = rows.find((one) => one.bits === bits);
  return row?.symbols[code - row.first] ?? null;
}
