# SPDX-License-Identifier: Apache-2.0
# Makes a shell script of a page's blocks that are marked for a run: awk -f tests/snippets/run.awk PAGE
# A comment right before a block marks it, in a list with the block's indentation:
#   <!-- run -->            a block of sh is run
#   <!-- file NAME -->      a block of any language is written to NAME
# Blocks of a page are run in their order, in one folder.
!inside && /^ *<!-- run -->$/ { marked = FNR; kind = "run"; next }
!inside && /^ *<!-- file [^ ]+ -->$/ { marked = FNR; kind = "file"; name = $3; next }
!inside && /^ *```/ {
  inside = 1
  wanted = marked > 0 && marked == FNR - 1
  indent = match($0, /```/) - 1
  language = substr($0, indent + 4)
  if (wanted && kind == "run" && language != "sh") { print "echo \"line " FNR ": <!-- run --> stands before " language ", expected sh\" >&2; exit 1"; wanted = 0 }
  if (wanted && kind == "file") print "cat >" name " <<'END_OF_BLOCK'"
  if (wanted && kind == "run") print "echo '== line " FNR "'"
  next
}
inside && /^ *```$/ {
  if (wanted && kind == "file") print "END_OF_BLOCK"
  inside = wanted = 0
  next
}
inside && wanted { print substr($0, indent + 1) }
