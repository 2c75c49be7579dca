# Turns the plain part of #cloud-config into shell commands: hostname, write_files and runcmd.
function unquoted(text) {
  sub(/[ \t]+$/, "", text)
  if (text ~ /^".*"$/ || text ~ /^'.*'$/) return substr(text, 2, length(text) - 2)
  return text
}
function quoted(text) {
  gsub(/'/, "'\\''", text)
  return "'" text "'"
}
function indent(text) {
  match(text, /^ */)
  return RLENGTH
}
function end_file() {
  if (path == "") return
  print "mkdir -p \"$(dirname " quoted(path) ")\""
  print "printf '%s' " quoted(content) " > " quoted(path)
  if (mode != "") print "chmod " mode " " quoted(path)
  path = ""; content = ""; mode = ""; block = 0
}
function file_field(text) {
  if (text ~ /^path:/) { sub(/^path:[ \t]*/, "", text); path = unquoted(text) }
  else if (text ~ /^permissions:/) { sub(/^permissions:[ \t]*/, "", text); mode = unquoted(text) }
  else if (text ~ /^content:[ \t]*\|/) { block = 1; block_indent = -1 }
  else if (text ~ /^content:/) { sub(/^content:[ \t]*/, "", text); content = unquoted(text) }
}
function command(text,  words, count, word, line) {
  if (text !~ /^\[.*\]$/) { print unquoted(text); return }
  count = split(substr(text, 2, length(text) - 2), words, ",")
  for (word = 1; word <= count; word++) {
    sub(/^[ \t]+/, "", words[word])
    line = line " " quoted(unquoted(words[word]))
  }
  print substr(line, 2)
}

# The text of a block scalar keeps its lines; the first one says how far it is indented.
block {
  if ($0 ~ /^[ \t]*$/) { content = content "\n"; next }
  if (block_indent < 0) block_indent = indent($0)
  if (indent($0) >= block_indent && block_indent > item_indent) { content = content substr($0, block_indent + 1) "\n"; next }
  block = 0
}
/^[ \t]*(#.*)?$/ { next }
/^[a-z_]+:/ {
  end_file()
  section = $0; sub(/:.*/, "", section)
  value = $0; sub(/^[a-z_]+:[ \t]*/, "", value)
  if (section == "hostname") print "hostname " quoted(unquoted(value))
  next
}
section == "write_files" {
  text = $0
  if (text ~ /^ *- /) { end_file(); item_indent = indent(text); sub(/^ *- +/, "", text) } else sub(/^ +/, "", text)
  file_field(text)
  next
}
section == "runcmd" && /^ *- / {
  text = $0; sub(/^ *- +/, "", text); sub(/[ \t]+$/, "", text)
  command(text)
}
END { end_file() }
