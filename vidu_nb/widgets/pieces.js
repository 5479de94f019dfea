// A file from the kernel, piece by piece: {blob}, or {problem} where it doesn't come. `question` says which one, `isWanted`
// whether anybody still waits for it.
async function fetchFile(model, question, type, isWanted = () => true) {
  const pieces = [];
  let [at, total] = [0, 1];
  while (at < total) {
    const reply = await askPython(model, { do: "piece", ...question, at });
    if (!isWanted()) return {};
    if (reply.refused || !reply.bytes?.byteLength) return { problem: reply.message || "the file is empty" };
    pieces.push(reply.bytes);
    at += reply.bytes.byteLength;
    total = reply.total;
  }
  return { blob: new Blob(pieces, { type }) };
}
