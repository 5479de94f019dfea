// A file from the kernel, piece by piece: {blob}, or {problem} where it doesn't come. `question` says which one,
// `isWanted` whether anybody still waits for it; `waits` is told whether the kernel lets it wait.
async function fetchFile(model, question, type, { isWanted = () => true, waits = () => {}, seconds = 3 } = {}) {
  const pieces = [];
  let [at, total] = [0, 1];
  while (at < total) {
    let late = false;
    const onSilence = () => isWanted() && waits((late = true));
    const reply = await askPython(model, { do: "piece", at, ...question }, { onSilence, seconds });
    if (!isWanted()) return {};
    if (late) waits(false);
    if (reply.refused || !reply.bytes?.byteLength) return { problem: reply.message || "the file is empty" };
    pieces.push(reply.bytes);
    at += reply.bytes.byteLength;
    total = reply.total;
  }
  return { blob: new Blob(pieces, { type }) };
}
