#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the blocks of sh that a tutorial marks for it (run.awk says how), each page in a folder of its own, at a tiny size.
#   sh tests/snippets/run.sh PROJECT PROGRAM PAGE...
# The blocks call `comodal`. Here that is a script which adds to the verbs that cost time what makes them small: a phantom of
# few coarse heads, two steps, a network of a few channels. So pages may name the sizes that a user would choose.
set -eu
project=$(cd "$1" && pwd)
program=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
mkdir "$work/bin"
cat >"$work/bin/comodal" <<END
#!/bin/sh
small='--train.steps 2 --train.validate_every 0 --batch.patch_size [16,16,16] --model.stream_channels [2,2,2,4] --model.fused_channels [2,4,4,8]'
small="\$small --batch.labelled 1 --batch.unlabelled 1 --compute.threads 1"
verb=\${1:-}
case " \$* " in
*" --help "*) ;;
" phantom "*) set -- "\$@" --phantom.grid '[32, 32, 24]' --phantom.spacing '[4.5, 4.5, 5.5]' --phantom.unlabelled 2 --phantom.test 2 ;;
" train "* | " crossval "*) set -- "\$@" \$small ;;
esac
exec "$program" "\$@"
END
chmod +x "$work/bin/comodal"
PATH=$work/bin:$PATH
export PATH

for page in "$@"; do
  awk -f "$project/tests/snippets/run.awk" "$project/$page" >"$work/script"
  grep -q '^echo .== line' "$work/script" || { echo "$page: marks no block for a run" >&2; exit 1; }
  mkdir "$work/page"
  (cd "$work/page" && sh -eu "$work/script") >"$work/out" 2>&1 || { echo "FAILED: $page" >&2; cat "$work/out" >&2; exit 1; }
  echo "$page: $(grep -c '^== line' "$work/out") blocks"
  rm -rf "$work/page"
done
