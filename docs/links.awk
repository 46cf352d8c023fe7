# SPDX-License-Identifier: Apache-2.0
# Prints the files, from the project's folder, that the pages link to: awk -f docs/links.awk PAGE...
function normal(path, count, part, kept, i, depth) {
  count = split(path, part, "/")
  depth = 0
  for (i = 1; i <= count; ++i) {
    if (part[i] == "..") --depth
    else if (part[i] != "." && part[i] != "") kept[++depth] = part[i]
  }
  path = kept[1]
  for (i = 2; i <= depth; ++i) path = path "/" kept[i]
  return path
}
function link(target) {
  sub(/#.*/, "", target)
  if (target == "" || target ~ /^(https?|mailto):/) return
  folder = FILENAME
  if (!sub(/\/[^\/]*$/, "", folder)) folder = "."
  print normal(folder "/" target)
}
FNR == 1 { fenced = 0 }
/^ *```/ { fenced = !fenced }
fenced { next }
{
  rest = $0
  gsub(/`[^`]*`/, "", rest)
  while (match(rest, /\]\([^)]+\)/)) {
    link(substr(rest, RSTART + 2, RLENGTH - 3))
    rest = substr(rest, RSTART + RLENGTH)
  }
  rest = $0
  while (match(rest, /(src|srcset|href)="[^"]+"/)) {
    target = substr(rest, RSTART, RLENGTH)
    rest = substr(rest, RSTART + RLENGTH)
    gsub(/^[a-z]+="|"$/, "", target)
    link(target)
  }
}
