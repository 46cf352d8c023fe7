# SPDX-License-Identifier: Apache-2.0
# Python-Markdown asks for four spaces per level of a list, where GitHub takes what stands under the item's first letter.
# Prints a page with its lists indented by fours: awk -f docs/lists.awk PAGE
function leading(text) { match(text, /^ */); return RLENGTH }
{
  spaces = leading($0)
  if ($0 ~ /^ *$/) { print; blank = 1; next }
  fence = $0 ~ /^ *```/
  if (!fenced) {
    # An item ends where a line stands left of its text, after a blank line or as another item.
    item = match($0, /^ *([-*]|[0-9]+\.) +[^ ]/) && !fence
    while (level > 0 && spaces < text_at[level] && (blank || item || fence)) --level
    if (item) {
      if (level == 0 && !blank && !after_item && previous !~ /^ *$/ && NR > 1) print ""
      base = level > 0 ? text_at[level] : 0
      indent = level * 4
      match($0, /^ *([-*]|[0-9]+\.) +/)
      text_at[++level] = RLENGTH
      marker = $0; sub(/^ */, "", marker)
      printf "%*s%s\n", indent, "", marker
      after_item = 1; blank = 0; previous = $0
      next
    }
  }
  if (level > 0 && spaces >= text_at[level]) printf "%*s%s\n", level * 4, "", substr($0, text_at[level] + 1)
  else if (level > 0 && fenced) printf "%*s%s\n", level * 4, "", substr($0, spaces + 1)
  else { print; if (level == 0) after_item = 0 }
  if (fence) fenced = !fenced
  blank = 0; previous = $0
}
