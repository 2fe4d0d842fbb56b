# help.awk: turns what a program prints for --help into roff. Lines "  term   sentence" become tagged paragraphs, lines
# without a blank at their start are text, deeper ones examples.
function roff(s) {
  gsub(/\\/, "\\e", s)
  gsub(/-/, "\\-", s)
  sub(/^[.']/, "\\\\\\&&", s)
  return s
}
function end_example() {
  if (example)
    print ".EE\n.RE"
  example = 0
}
/^$/ {
  end_example()
  gap = 1
  next
}
/^[Uu]sage: / { # the synopsis says it
  next
}
/^[A-Z].*:$/ && length($0) < 60 {
  end_example()
  sub(/:$/, "")
  print ".PP\n.B " roff($0)
  gap = 1
  tag = 0
  next
}
# an option or command, and its sentence: a line of its own or after two blanks
match($0, /^  +[-a-z[][^ ]*( [^ ]+)*  +[^ ]/) && $0 !~ /^(  dugnad|           )/ {
  end_example()
  at = RSTART + RLENGTH - 1
  term = substr($0, 1, at - 1)
  gsub(/^ +| +$/, "", term)
  print ".TP\n.B " roff(term) "\n" roff(substr($0, at))
  tag = 1
  gap = 0
  next
}
/^  +-[^ ]*( [^ ]+)*$/ { # its sentence is on the next line
  end_example()
  gsub(/^ +| +$/, "")
  print ".TP\n.B " roff($0)
  tag = 1
  gap = 0
  next
}
/^  [a-z]+(, [a-z]+)*$/ { # commands without a sentence: "version, help"
  end_example()
  gsub(/^ +/, "")
  print ".TP\n.B " roff($0) "\n" ($0 == "version" ? "print the version" : "print the version; print this help")
  tag = 1
  gap = 0
  next
}
/^--/ { # "--data FOLDER          default: ..."
  end_example()
  at = match($0, /   *[^ ]/)
  term = at ? substr($0, 1, at - 1) : $0
  print ".TP\n.B " roff(term)
  if (at)
    print roff(substr($0, at + RLENGTH - 1))
  tag = 1
  gap = 0
  next
}
/^       / && tag && !gap {
  gsub(/^ +/, "")
  print roff($0)
  next
}
/^  / {
  if (!example)
    print ".PP\n.RS 4\n.EX"
  example = 1
  tag = 0
  sub(/^  /, "")
  print roff($0)
  gap = 0
  next
}
{
  end_example()
  if (gap || tag)
    print ".PP"
  print roff($0)
  tag = gap = 0
}
END {
  end_example()
}
