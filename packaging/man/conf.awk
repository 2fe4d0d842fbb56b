# conf.awk: turns the commented settings that a program prints into roff: headings, and an entry for each option.
function roff(s) {
  gsub(/\\/, "\\e", s)
  gsub(/-/, "\\-", s)
  sub(/^[.']/, "\\\\\\&&", s)
  return s
}
/^# --- .* ---$/ {
  gsub(/^# --- | ---$/, "")
  print ".SS " roff($0)
  next
}
/^# / {
  help = help roff(substr($0, 3)) "\n"
  next
}
/^#[a-z_]+ =/ {
  name = substr($1, 2)
  value = $0
  sub(/^[^=]*= */, "", value)
  print ".TP\n.BR " roff(name) (value == "" ? "" : " \" (default: " roff(value) ")\"")
  printf "%s", help == "" ? "See the one above.\n" : help
  help = ""
}
