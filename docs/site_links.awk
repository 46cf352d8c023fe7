# SPDX-License-Identifier: Apache-2.0
# Prints "page target" for each file that the site's pages link to, and complains of anchors that no page has:
#   awk -f site_links.awk PAGE.html...      (in the site's folder)
FNR == 1 { page = FILENAME; sub(/^\.\//, "", page); pages[page] = 1 }
{
  rest = $0
  while (match(rest, /(id|name|href|src|srcset)="[^"]*"/)) {
    word = substr(rest, RSTART, RLENGTH)
    rest = substr(rest, RSTART + RLENGTH)
    at = index(word, "=")
    kind = substr(word, 1, at - 1)
    value = substr(word, at + 2, length(word) - at - 2)
    if (kind == "id" || kind == "name") { anchors[page, value] = 1; continue }
    if (value == "" || value ~ /^([a-z]+:|\/\/|\/)/ || page == "404.html") continue
    hash = index(value, "#")
    anchor = hash ? substr(value, hash + 1) : ""
    if (hash) value = substr(value, 1, hash - 1)
    target = value == "" ? page : place(page, value)
    if (!((page, target, anchor) in seen)) { seen[page, target, anchor] = 1; link_page[++count] = page; link_target[count] = target; link_anchor[count] = anchor }
  }
}
function place(page, value, folder, part, kept, n, i, depth) {
  folder = page
  if (!sub(/\/[^\/]*$/, "", folder)) folder = ""
  n = split(folder "/" value, part, "/")
  depth = 0
  for (i = 1; i <= n; ++i) {
    if (part[i] == "..") --depth
    else if (part[i] != "." && part[i] != "") kept[++depth] = part[i]
  }
  value = kept[1]
  for (i = 2; i <= depth; ++i) value = value "/" kept[i]
  return value
}
END {
  for (i = 1; i <= count; ++i) {
    print link_page[i], link_target[i]
    if (link_anchor[i] != "" && link_target[i] in pages && !((link_target[i], link_anchor[i]) in anchors)) {
      print link_page[i], link_target[i] "#" link_anchor[i]
    }
  }
}
