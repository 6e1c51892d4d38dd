// Loaded before the program (`node --import`): interrupts it when it says the first text of INTERRUPT_AT, as Ctrl-C would.
const text = process.env.INTERRUPT_AT;
const write = process.stderr.write.bind(process.stderr);
let said = '';
let isDone = false;
process.stderr.write = (chunk, ...rest) => {
  said += chunk;
  if (text && !isDone && said.includes(text)) {
    isDone = true;
    process.kill(process.pid, 'SIGINT');
  }
  return write(chunk, ...rest);
};
