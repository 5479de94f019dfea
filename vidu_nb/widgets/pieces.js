// A file from the kernel, piece by piece: {blob}, or {problem} where it doesn't come. `question` says which one, `first`
// is its first piece where that has come already, `isWanted` says whether anybody still waits for it; `waits` is told
// whether the kernel lets it wait.

const AT_ONCE = 3; // pieces on their way: none waits for a round trip, and a click waits for these alone

async function fetchFile(model, question, type, { first, isWanted = () => true, waits = () => {}, seconds = 3 } = {}) {
  let problem = "";
  const ask = async (at) => {
    let late = false;
    const onSilence = () => isWanted() && waits((late = true));
    const reply = await askPython(model, { do: "piece", at, ...question }, { onSilence, seconds });
    if (late && isWanted()) waits(false);
    if (reply.refused || !reply.bytes?.byteLength) problem ||= reply.message || "the file is empty";
    return reply;
  };
  const { bytes, total } = first ?? (await ask(0));
  const pieces = [bytes];
  let next = bytes?.byteLength;
  const follow = async () => {
    while (next < total && isWanted() && !problem) {
      const at = next;
      next += bytes.byteLength;
      pieces[at / bytes.byteLength] = (await ask(at)).bytes;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, follow));
  if (!isWanted()) return {};
  return problem ? { problem } : { blob: new Blob(pieces, { type }) };
}
