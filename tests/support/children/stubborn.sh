# A server that ends neither at the end of its stdin nor at SIGTERM, with a grandchild of the same kind.
# Prints one line, "<own pid> <pid of the grandchild>", when both are past their trap. $1 only marks the process.
trap '' TERM HUP INT
(
  while :; do sleep 1; done
) </dev/null &
echo "$$ $!"
while :; do sleep 1; done
