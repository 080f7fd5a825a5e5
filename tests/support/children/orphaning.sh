# Its leader ends at once with code 7 and leaves a grandchild behind that holds stdout and ignores SIGTERM.
trap '' TERM
sleep 600 &
echo "$$ $!"
exit 7
