# SPDX-License-Identifier: Apache-2.0
# Writes every code block of Markdown pages in one language into a file of its own, and prints the names of the files.
#   awk -v language=cpp -v folder=FOLDER -f tests/snippets/extract.awk PAGE...
# A block of C++ is a translation unit. A comment right before it may say what stands around it: in
#   <!-- cpp
#   before
#   ...
#   after
#   -->
# the line "..." stands for the block. The block's #include lines come first of all.
function finish() {
  if (language == "cpp") {
    at = "#line " (start + 1) " \"" FILENAME "\"\n"
    text = includes (around == "" ? at body : before at body after)
  } else {
    text = body
  }
  name = FILENAME
  gsub(/[\/.]/, "_", name)
  name = folder "/" name "_" start "." language
  printf "%s", text > name
  close(name)
  print name
}
FNR == 1 { inside = comment = 0; around = "" }
comment && /^-->/ { comment = 0; last_of_comment = FNR; next }
comment && /^\.\.\.$/ { around = "after"; next }
comment { if (around == "before") before = before $0 "\n"; else after = after $0 "\n"; next }
!inside && /^<!-- cpp$/ { comment = 1; around = "before"; before = after = ""; next }
!inside && /^ *```/ {
  inside = 1; start = FNR; body = includes = ""
  wanted = $0; sub(/^ *```/, "", wanted)
  indent = match($0, /```/) - 1
  if (last_of_comment != FNR - 1) around = ""
  next
}
inside && /^ *```$/ { inside = 0; if (wanted == language) finish(); around = ""; next }
inside {
  line = substr($0, indent + 1)
  if (language == "cpp" && line ~ /^#include/) { includes = includes line "\n"; line = "" }
  body = body line "\n"
}
