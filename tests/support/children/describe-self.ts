// Prints what the process was given, then waits for the end of its stdin.
const { argv, env } = process;
process.stdout.write(`${JSON.stringify({ args: argv.slice(2), env, cwd: process.cwd() })}\n`);
process.stdin.resume();
