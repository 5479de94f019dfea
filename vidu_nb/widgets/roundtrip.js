// Answers each question of the kernel's, in turn: what was sent before the answer arrives before it.
export default {
  initialize({ model }) {
    model.on("msg:custom", ({ ask }) => ask && model.send({ answer: ask }));
  },
};
